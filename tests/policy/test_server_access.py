"""Access tables asked about the servers of a name."""

from __future__ import annotations

import pytest

from postroad.net.filtered import BrokenFilter
from postroad.policy.server_access import makers
from postroad.policy.verdict import ServerError

BAD = "cidr:bad"


@pytest.fixture
def check(services, tmp_path, dropping):
    """Return a function that makes a check with a table of networks, in a small DNS."""
    (tmp_path / "bad").write_text("192.0.2.66 REJECT bad\n192.0.2.77 OK\n2001:db8::/64 REJECT six\n")
    records = {
        ("mx.test", "MX"): ((10, "good.test"), (20, "bad.test")),
        ("good.test", "A"): ("192.0.2.1",),
        ("bad.test", "A"): ("192.0.2.2", "192.0.2.66"),
        ("ok.test", "A"): ("192.0.2.77",),
        ("six.test", "AAAA"): ("2001:db8::7",),
        ("literal.test", "MX"): ((10, "192.0.2.66"),),
        ("null.test", "MX"): ((0, ""),),
        ("zone.test", "NS"): ("ns.bad-hoster.test",),
        ("ns.bad-hoster.test", "A"): ("192.0.2.66",),
    }

    def make(name, spec="", broken=(), actions=None, **texts):
        made = services(**texts)
        made.tables.config_directory = str(tmp_path)
        made.resolver.records = records
        made.resolver.broken = set(broken)
        if actions:
            made.resolver = dropping(made.resolver, made.log, **actions)
        return makers()[name](made, name, spec or BAD, "")

    return make


@pytest.fixture
def filtering(check):
    def make(name, **actions):
        return check(name, actions=actions)

    return make


@pytest.mark.parametrize(
    ("name", "domain", "answer"),
    [
        ("check_sender_mx_access", "mx.test", "bad"),
        ("check_sender_mx_access", "bad.test", "bad"),
        ("check_sender_mx_access", "six.test", "six"),
        ("check_sender_mx_access", "literal.test", "bad"),
        ("check_sender_mx_access", "good.test", None),
        ("check_sender_mx_access", "null.test", None),
        ("check_sender_mx_access", "missing.test", None),
        ("check_sender_mx_access", "[192.0.2.66]", "bad"),
        ("check_sender_mx_access", "[IPv6:2001:db8::1]", "six"),
        ("check_sender_mx_access", "[nonsense]", None),
        ("check_sender_a_access", "bad.test", "bad"),
        ("check_sender_a_access", "mx.test", None),
        ("check_sender_a_access", "[192.0.2.66]", "bad"),
        ("check_sender_ns_access", "zone.test", "bad"),
        ("check_sender_ns_access", "a.b.zone.test", "bad"),
        ("check_sender_ns_access", "mx.test", None),
        ("check_sender_ns_access", "[192.0.2.66]", None),
    ],
)
async def test_a_senders_servers_are_looked_up(check, ask, new_session, name, domain, answer):
    found = await ask(check(name), new_session(sender=f"u@{domain}"))
    assert found == (answer and f"554 5.7.1 <u@{domain}>: Sender address rejected: {answer}")


async def test_a_servers_name_comes_before_its_addresses(check, ask, new_session):
    client = new_session(sender="u@zone.test")
    by_name = check("check_sender_ns_access", "inline:{ {bad-hoster.test = REJECT name} }")
    assert (await ask(by_name, client)).endswith("name")
    itself = check("check_sender_a_access", "inline:{ {zone.test = REJECT name} }")
    assert await ask(itself, client) is None


async def test_ok_is_an_error_because_the_zone_is_the_clients(check, ask, new_session):
    with pytest.raises(ServerError, match="check_sender_a_access returns OK for u@ok"):
        await ask(check("check_sender_a_access"), new_session(sender="u@ok.test"))


@pytest.mark.parametrize(
    ("whose", "text"),
    [
        ("client", "<bad.test[192.0.2.10]>: Client host"),
        ("reverse_client_hostname", "<bad.test>: Unverified Client host"),
        ("helo", "<bad.test>: Helo command"),
        ("recipient", "<u@bad.test>: Recipient address"),
    ],
)
async def test_everybody_has_servers(check, ask, new_session, whose, text):
    client = new_session(helo="bad.test")
    client.client.name = client.client.reverse_name = "bad.test"
    answer = await ask(check(f"check_{whose}_a_access"), client, recipient="u@bad.test")
    assert answer == f"554 5.7.1 {text} rejected: bad"


async def test_an_unknown_client_and_a_null_sender_have_none(check, ask, new_session):
    nobody = new_session(sender="", helo="")
    for whose in ("client", "reverse_client_hostname", "helo", "sender", "recipient"):
        made = check(f"check_{whose}_a_access", "static:REJECT")
        assert await ask(made, nobody, recipient="") is None


async def test_what_cannot_be_looked_up_is_warned_of_and_not_refused(check, ask, new_session, sink):
    for name in ("check_sender_mx_access", "check_sender_ns_access"):
        assert await ask(check(name, broken={"slow.test"}), new_session(sender="u@slow.test")) is None
    assert sink.lines == [
        f"smtpd: warning: Unable to look up {kind} host for slow.test: Host not found, try again"
        for kind in ("MX", "NS")
    ]


async def test_addresses_of_protocols_that_are_off_do_not_count(check, ask, new_session):
    made = check("check_sender_a_access", inet_protocols="ipv4")
    assert await ask(made, new_session(sender="u@six.test")) is None


async def test_a_table_that_cannot_be_asked_refuses_for_now(check, ask, new_session):
    answer = await ask(check("check_sender_a_access", "hash:/no/such"), new_session(sender="u@bad.test"))
    assert answer == "451 4.3.5 <u@bad.test>: Sender address rejected: Server configuration error"


@pytest.mark.parametrize(("kind", "domain"), [("mx", "mx.test"), ("ns", "zone.test")])
async def test_a_filter_may_take_the_servers_away(filtering, ask, new_session, sink, kind, domain):
    check = filtering(f"check_sender_{kind}_access", MX="IGNORE", NS="IGNORE")
    assert await ask(check, new_session(sender=f"u@{domain}")) is None
    shown = kind.upper()
    assert (
        sink.lines[-1]
        == f"smtpd: warning: Unable to look up {shown} host for {domain}: DNS reply filter policy"
    )


async def test_addresses_of_servers_are_not_filtered(filtering, ask, new_session):
    check = filtering("check_sender_mx_access", A="IGNORE")
    assert (await ask(check, new_session(sender="u@mx.test"))).endswith("bad")
    check = filtering("check_sender_a_access", A="IGNORE")
    assert (await ask(check, new_session(sender="u@bad.test"))).endswith("bad")


async def test_a_broken_filter_lets_nobody_pass(filtering, ask, new_session):
    check = filtering("check_sender_mx_access", MX="WRONG")
    with pytest.raises(BrokenFilter):
        await ask(check, new_session(sender="u@mx.test"))


async def test_the_hosts_file_comes_before_the_dns(services, ask, session):
    made = services()
    made.hosts = {"localhost": ("127.0.0.1",)}.get
    session.transaction.sender = "a@localhost"
    check = makers()["check_sender_mx_access"](made, "", "inline:{ {127 = REJECT no} }", "")
    assert await ask(check) == "554 5.7.1 <a@localhost>: Sender address rejected: no"
