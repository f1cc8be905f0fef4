import pytest

from postroad.base.params import settings_of
from postroad.delivery.smtp import params as p
from postroad.model import params as model

GROUPS = [model.params, p.params]
KNOWN = {"append_dot_mydomain": "no", "smtputf8_enable": "yes", "myhostname": "mx.example.test"}


def view(program, **texts):
    return p.ClientParams(settings_of(GROUPS, **KNOWN | texts), program)


@pytest.mark.parametrize(
    ("pair", "smtp", "lmtp"),
    [
        (p.CONNECT_TIMEOUT, 30, 0),
        (p.HELO_TIMEOUT, 300, 300),
        (p.SKIP_QUIT_RESPONSE, True, False),
        (p.HELO_NAME, "mx.example.test", "mx.example.test"),
        (p.TCP_PORT, "smtp", "24"),
        (p.DATA_DONE_TIMEOUT, 600, 600),
        (p.FALLBACK_RELAY, (), ()),
        (p.LINE_LENGTH_LIMIT, 998, 998),
        (p.CONNECTION_CACHE_TIME_LIMIT, 2, 2),
        (p.MX_SESSION_LIMIT, 2, 2),
    ],
)
def test_each_client_has_its_own_default(pair, smtp, lmtp):
    assert (view("smtp")[pair], view("lmtp")[pair]) == (smtp, lmtp)


def test_lmtp_says_lhlo_where_smtp_says_helo():
    assert p.HELO_NAME["lmtp"].name == "lmtp_lhlo_name"
    assert p.HELO_TIMEOUT["lmtp"].name == "lmtp_lhlo_timeout"
    assert p.DISCARD_EHLO_KEYWORDS["lmtp"].name == "lmtp_discard_lhlo_keywords"


def test_the_old_name_of_the_fallback_relay_counts_for_smtp_only():
    assert view("smtp", fallback_relay="[a]")[p.FALLBACK_RELAY] == ("[a]",)
    assert view("lmtp", fallback_relay="[a]")[p.FALLBACK_RELAY] == ()


@pytest.mark.parametrize(
    "name", ["smtp_mail_timeout", "lmtp_quit_timeout", "smtp_connection_cache_time_limit"]
)
def test_no_time_limit_is_nought(name):
    with pytest.raises(ValueError, match="less than the minimum"):
        settings_of(GROUPS, **KNOWN | {name: "0"})


def test_every_parameter_says_what_it_does():
    assert all(param.doc.endswith(".") for param in p.params.params)
