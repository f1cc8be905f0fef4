"""Whose password is used where, by which mechanism, and what follows from a refusal."""

from __future__ import annotations

import pytest

from postroad.base.clock import TestClock
from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.delivery.smtp.logins import Refusal, open_logins
from postroad.delivery.smtp.params import params
from postroad.model.params import params as model_params
from postroad.proto.sasl.client import Credentials
from postroad.tables.context import TableContext

EVERY_KEY = "inline:{ {[mx.example]:587=dest:pw}, {mx.example=host:pw}, {bob@s.example=sender:pw}, {@s.example=domain:pw} }"


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def make(clock):
    def make(maps=EVERY_KEY, program="smtp", is_local=None, **texts):
        texts = {f"{program}_sasl_auth_enable": "yes", f"{program}_sasl_password_maps": maps} | texts
        settings = settings_of([model_params, params], **texts)
        context = TableContext(texts=settings.texts, clock=clock)
        return open_logins(settings, program, context, clock, is_local=is_local)

    return make


def find(logins, sender="bob@s.example", nexthop="[mx.example]:587", host="mx.example"):
    return logins.find(sender=sender, nexthop=nexthop, host=host, port=587)


async def who(*args, **names):
    found = await find(*args, **names)
    return found and found.username


def test_without_sasl_auth_enable_nobody_logs_in(make):
    assert make(smtp_sasl_auth_enable="no") is None


def test_without_a_table_the_words_are_postfixs(make):
    with pytest.raises(ValueError, match="specify a password table via the `smtp_sasl_password_maps'"):
        make(maps="")


# --- keys; the order was seen in Postfix 3.7


async def test_the_hosts_name_comes_before_the_next_hop(make):
    assert await who(make()) == "host"
    assert await who(make(), host="other.example") == "dest"
    assert await who(make(), host="MX.Example") == "host"


async def test_the_next_hop_is_asked_for_as_it_is_written(make):
    other = {"host": "other.example"}
    assert await who(make(), nexthop="[MX.example]:587", **other) == "dest"
    assert await who(make(), nexthop="[mx.example]", **other) is None
    assert await who(make("inline:{ {[mx.example]=x:pw}, {mx.example:587=x:pw} }"), **other) is None


async def test_the_sender_comes_first_where_that_is_wanted(make):
    logins = make(smtp_sender_dependent_authentication="yes", recipient_delimiter="+")
    assert logins.by_sender
    assert await who(logins) == "sender"
    assert await who(logins, sender="Bob+list@s.example") == "sender"
    assert await who(logins, sender="amy@s.example") == "domain"
    assert await who(logins, sender="amy@other.example") == "host"
    assert await who(logins, sender="") == "host"


async def test_the_sender_does_not_count_otherwise(make):
    assert not make().by_sender
    lmtp = make(program="lmtp", smtp_sender_dependent_authentication="yes")
    assert not lmtp.by_sender
    assert await who(lmtp) == "host"


async def test_a_sender_of_ours_may_be_named_without_the_domain(make):
    async def ours(domain):
        return domain == "s.example"

    logins = make("inline:{ {bob=local:pw} }", is_local=ours, smtp_sender_dependent_authentication="yes")
    assert await who(logins) == "local"
    assert await who(logins, sender="bob@t.example") is None


async def test_a_table_that_fails_is_no_stranger(make):
    with pytest.raises(TableUnavailable):
        await find(make("fail:x"))


# --- values


async def test_a_password_may_have_colons_and_may_be_missing(make):
    found = await find(make("inline:{ {mx.example=bob:p:w } }"))
    assert found == Credentials("bob", "p:w")
    assert await find(make("inline:{ {mx.example=bob} }")) == Credentials("bob", "")


async def test_the_authorization_identity_is_sent_on_demand(make):
    assert (await find(make(send_cyrus_sasl_authzid="yes"))).authzid == "host"
    assert (await find(make())).authzid == ""


async def test_tokens_are_read_from_the_table_or_a_file(make, tmp_path):
    found = await find(make("inline:{ {mx.example=bob@x.example:{OAUTH}ya29.x} }"))
    assert found == Credentials("bob@x.example", "ya29.x", token=True)
    (tmp_path / "token").write_text("fresh\n")
    found = await find(make(f"inline:{{ {{mx.example=bob:{{OAUTHFILE}}{tmp_path}/token}} }}"))
    assert found == Credentials("bob", "fresh", token=True)
    with pytest.raises(TableUnavailable):
        await find(make(f"inline:{{ {{mx.example=bob:{{OAUTHFILE}}{tmp_path}/none}} }}"))


# --- mechanisms


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("", ["PLAIN", "GSSAPI", "LOGIN", "CRAM-MD5"]),
        ("plain, login", ["PLAIN", "LOGIN"]),
        ("!plain, static:rest", ["GSSAPI", "LOGIN", "CRAM-MD5"]),
        ("!/FILE, static:rest", ["GSSAPI", "CRAM-MD5"]),
        ("/FILE", ["PLAIN", "LOGIN"]),
        ("xoauth2", []),
    ],
)
async def test_the_filter_is_a_match_list(make, tmp_path, members, expected):
    (tmp_path / "names").write_text("plain\nlogin\n")
    logins = make(smtp_sasl_mechanism_filter=members.replace("/FILE", f"{tmp_path}/names"))
    assert await logins.mechanisms(["PLAIN", "GSSAPI", "LOGIN", "CRAM-MD5"]) == expected


async def test_a_filter_that_cannot_be_read_lets_nothing_pass(make, tmp_path):
    with pytest.raises(TableUnavailable):
        await make(smtp_sasl_mechanism_filter=f"{tmp_path}/none").mechanisms(["PLAIN"])


def chosen(logins, **how):
    exchange = logins.begin(["PLAIN", "CRAM-MD5"], Credentials("bob", "pw"), **how)
    return exchange if isinstance(exchange, str) else exchange.name


def test_security_options_depend_on_tls_and_on_the_certificate(make):
    logins = make(
        smtp_sasl_security_options="mutual_auth",
        smtp_sasl_tls_security_options="noplaintext",
        smtp_sasl_tls_verified_security_options="nodictionary",
    )
    assert chosen(logins) == "no mechanism available"
    assert chosen(logins, tls=True) == "CRAM-MD5"
    assert chosen(logins, tls=True, verified=True) == "no mechanism available"
    assert chosen(logins, verified=True) == "no mechanism available"  # there is no certificate without TLS


def test_by_default_a_password_is_not_sent_in_the_clear(make):
    assert make().begin(["PLAIN", "LOGIN"], Credentials("bob", "pw"), tls=True) == "no mechanism available"
    relaxed = make(smtp_sasl_tls_security_options="noanonymous")
    assert relaxed.begin(["LOGIN"], Credentials("bob", "pw")) == "no mechanism available"
    assert relaxed.begin(["LOGIN"], Credentials("bob", "pw"), tls=True).name == "LOGIN"


def test_what_the_filter_took_away_is_not_taken_for_a_strippers_work(make):
    exchange = make().begin(
        ["SCRAM-SHA-256"],
        Credentials("bob", "pw"),
        offered=["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"],
        tls=True,
        binding=lambda _: b"x",
    )
    assert exchange.initial().startswith(b"n,,")


def test_an_unknown_security_option_is_refused(make):
    with pytest.raises(ValueError, match='unknown SASL security options value "noblah" in "noblah"'):
        make(smtp_sasl_security_options="noblah")


# --- refusals

BOB = Credentials("bob", "wrong")


def test_a_refused_login_defers_or_returns_the_mail(make):
    assert make().refused("h", BOB, 535, "5.7.8", "535 5.7.8 no") == Refusal("4.7.8", "535 5.7.8 no")
    hard = make(smtp_sasl_auth_soft_bounce="no")
    assert hard.refused("h", BOB, 535, "5.7.8", "535 5.7.8 no").status == "5.7.8"
    assert hard.refused("h", BOB, 454, "4.7.0", "454 later").status == "4.7.0"


def test_it_is_not_repeated_for_a_while_if_there_is_a_cache(make, clock):
    logins = make(smtp_sasl_auth_cache_name="proxy:btree:/x", smtp_sasl_auth_cache_time="1h")
    refusal = logins.refused("MX.example", BOB, 535, "5.7.8", "535 5.7.8 no")
    assert logins.remembered("mx.example", BOB) == refusal
    assert logins.remembered("other.example", BOB) is None
    assert logins.remembered("mx.example", Credentials("bob", "right")) is None
    assert logins.remembered("mx.example", Credentials("amy", "wrong")) is None
    clock.advance(3600)
    assert logins.remembered("mx.example", BOB) is None


def test_without_a_cache_or_for_another_reply_nothing_is_remembered(make):
    plain = make()
    plain.refused("h", BOB, 535, "5.7.8", "535 no")
    assert plain.remembered("h", BOB) is None
    cached = make(smtp_sasl_auth_cache_name="proxy:btree:/x")
    cached.refused("h", BOB, 454, "4.7.0", "454 later")
    assert cached.remembered("h", BOB) is None


def test_no_password_stays_with_a_refusal(make):
    logins = make(smtp_sasl_auth_cache_name="proxy:btree:/x")
    logins.refused("h", BOB, 535, "5.7.8", "535 no")
    assert "wrong" not in repr(logins._refused._entries)
