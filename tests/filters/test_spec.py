import pytest

from filters.conftest import settings
from postroad.base.kinds import LIST
from postroad.filters.spec import Fallback, read_fallback, read_milters
from postroad.model.reply import Reply
from postroad.proto.milter.options import read_offer


def read(text, **texts):
    return read_milters(LIST.parse(text), settings(**texts))


def test_places():
    found = read("inet:mx.test:8891, inet:[::1]:milter unix:run/socket local:/abs inet::25")
    assert [(each.name, each.host, each.port, each.path) for each in found] == [
        ("inet:mx.test:8891", "mx.test", "8891", ""),
        ("inet:[::1]:milter", "::1", "milter", ""),
        ("unix:run/socket", "", "", "run/socket"),
        ("local:/abs", "", "", "/abs"),
        ("inet::25", "localhost", "25", ""),
    ]


def test_one_milters_own_settings_go_before_those_of_all():
    own, usual = read(
        "{ inet:a:1, connect_timeout=10s, default_action = accept, { protocol = 2 no_header_reply },"
        " command_timeout=1m content_timeout=1h } inet:b:2".replace(
            "default_action = accept", "default_action=accept"
        ),
        milter_default_action="quarantine",
        milter_connect_timeout="5s",
        milter_protocol="4",
    )
    assert (own.connect_timeout, own.command_timeout, own.content_timeout) == (10, 60, 3600)
    assert own.fallback == Fallback()
    assert own.offer == read_offer("2 no_header_reply")
    assert (usual.connect_timeout, usual.command_timeout, usual.content_timeout) == (5, 30, 300)
    assert usual.fallback == Fallback(hold=True)
    assert usual.offer == read_offer("4")
    assert own.name == "inet:a:1"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("accept", Fallback()),
        ("Reject", Fallback(Reply(550, "5.5.0", "Service unavailable"))),
        ("tempfail", Fallback(Reply(451, "4.7.1", "Service unavailable - try again later"))),
        ("quarantine", Fallback(hold=True)),
        ("shutdown", Fallback(Reply(421, "4.7.0", "Server closing connection"))),
        ("450 4.7.1 our filter is down", Fallback(Reply(450, "4.7.1", "our filter is down"))),
    ],
)
def test_default_actions(text, found):
    assert read_fallback(text) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("localhost:8891", "invalid transport name: localhost"),
        ("/run/socket", "needs transport:endpoint"),
        ("inet:8891", "needs host:port"),
        ("inet:[::1:25", "needs host:port"),
        ("unix:", "needs transport:endpoint"),
        ("{}", "empty milter definition"),
        ("{ inet:a:1, speed=9 }", "syntax error"),
        ("{ inet:a:1, connect_timeout }", "syntax error"),
        ("{ inet:a:1, connect_timeout=x }", "expected a time"),
        ("{ inet:a:1, connect_timeout=0 }", "less than a second"),
        ("{ inet:a:1, default_action=drop }", "unrecognized default action: drop"),
        ("{ inet:a:1, default_action={250 ok} }", "unrecognized default action"),
        ("{ inet:a:1, protocol=9 }", "bad protocol information"),
        ("{ inet:a:1 }x", "text behind }"),
    ],
)
def test_what_cannot_be_read(text, problem):
    with pytest.raises(ValueError, match=problem):
        read(text)


def test_wrong_settings_of_all():
    for name, value in (("milter_default_action", "drop"), ("milter_protocol", "1")):
        with pytest.raises(ValueError, match=value):
            read("inet:a:1", **{name: value})
