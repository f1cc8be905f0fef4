"""Nobody outside may send to the outside through us: the classical probes, answered as Postfix answers them.

A server that takes one of these ends on the black lists within a day.  Both servers hand all foreign mail to
a next hop that counts it.
"""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import Postroad, message
from peers.nexthop import NextHop
from peers.programs import Postfix, postfix

pytestmark = pytest.mark.peer

INSIDE, OUTSIDE = "127.0.0.1", "127.0.77.1"
FAR, OURS, RELAYED = "far.test", "example.test", "relayed.test"
MAIN = """
myorigin = example.test
mynetworks = 127.0.0.0/24
mydestination = example.test, localhost
local_recipient_maps = inline:{alice=x, bob=x, postmaster=x, root=x}
local_transport = discard:ours
relay_transport = discard:relayed
virtual_mailbox_domains =
virtual_alias_maps = inline:{forward@example.test=friend@abroad.test}
relay_domains = relayed.test
relay_recipient_maps =
relayhost = [127.0.0.1]:SINK
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_limit = 10000
smtpd_hard_error_limit = 10000
smtpd_soft_error_limit = 10000
smtpd_junk_command_limit = 10000
smtpd_error_sleep_time = 0
in_flow_delay = 0
"""
SETTINGS = {
    "default": "",
    "plain": "allow_percent_hack = no\nswap_bangpath = no\nrecipient_delimiter = +-",
    "quotes": "resolve_dequoted_address = no\nsmtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination",
    "dots": "parent_domain_matches_subdomains =\nrelay_domains = .Relayed.Test\nmydestination = EXAMPLE.TEST",
    "trusting": "allow_untrusted_routing = yes",
}
NO_ADDRESS = "501 5.1.3 Bad recipient address syntax"
FORMS = r"""
u@F
U@FAR.TEST
u@sub.F
u@F.
u@F..
u@.F
u@@F
u@O@F
u@R@F
@O:u@F
@O,@R:u@F
@F:u@O
@F,@O:alice@O
@O:@F
u%F@O
u%F@R
u%F@localhost
u%F@[127.0.0.1]
u%F@sub.O
u%F@sub.R
u%F
u%O%F
u%F%O
u%F%O@R
u%F%R@O
alice%O@F
alice@O%F
alice%O@O
alice%F@O
alice+x%F@O
F!u
F!u@O
F!u@R
F!O!u
O!F!u
O!F!u@R
R!F!u
O!alice
F!u%O
u@F@O
u@F@R
u@F@[127.0.0.1]
u@F%O
u%F@O%R
"u@F"
"u@F"@O
"u@F"@R
"u@F"@[127.0.0.1]
"u%F"
"u%F"@O
"F!u"
"F!u"@O
"u u"@F
"u u"@O
"u"@F
""@F
""@O
"@F"@O
"u@F> <"@O
"\"u@F\""@O
"u\@F"@O
u\@F@O
u@"F"
u@"O"
u@"F"@O
u@O.F
u@F#O
u@F,u@O
u@F;O
u:F
F:u@O
u@F O
u@F(c)@O
(c)u@F
u@(c)F
u@[127.0.0.9]
u@[127.0.0.1]
u@127.0.0.9
u@127.0.0.1
u@[F]
u@[IPv6:::1]
u@[::1]
@F
@O
u@
%F
u%@O
!u@O
F!
%F@O
@
.@F
u.@O
|u@F
/u@F@O
u=F@O
u#F@O
u@sub.O
u@sub.R
u@xR
u@x.sub.R
alice@O
alice
postmaster
nobody@O
forward@O
forward%F@O
"""
SENDERS = ("", "alice@example.test")


def probes() -> list[str]:
    words = {"F": FAR, "O": OURS, "R": RELAYED}

    def filled(form: str) -> str:
        out, at = "", 0
        while at < len(form):
            char = form[at]
            alone = not form[at + 1 : at + 2].isupper() and not form[at - 1 : at].isupper()
            out += words[char] if char in words and alone else char
            at += 1
        return out

    return [filled(form) for form in FORMS.split("\n") if form]


def ask(server: Postroad | Postfix, origin: str, sender: str) -> dict[str, str]:
    """Return what each recipient is answered; those that are taken get a message."""
    answers: dict[str, str] = {}
    with smtplib.SMTP(server.host, server.port, "client.test", 20, (origin, 0)) as client:
        client.ehlo()
        client.docmd(f"MAIL FROM:<{sender}>")
        for probe in probes():
            code, text = client.docmd(f"RCPT TO:<{probe}>")
            answers[probe] = f"{code} {text.decode()}"
            if code == 250:
                client.data(message())
                client.docmd(f"MAIL FROM:<{sender}>")
    return answers


@pytest.fixture
def sinks() -> Iterator[tuple[NextHop, NextHop]]:
    with NextHop() as one, NextHop() as two:
        yield one, two


def differences(said: dict[str, str], expected: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return what is not alike.  What one of them takes for no address may be refused in other words."""
    both = {probe: (said[probe], expected[probe]) for probe in expected if said[probe] != expected[probe]}
    return {probe: pair for probe, pair in both.items() if NO_ADDRESS not in pair or any(map(_taken, pair))}


def _taken(answer: str) -> bool:
    return answer.startswith("2")


def outwards(sink: NextHop) -> set[str]:
    return {to for each in sink.accepted for to in each.recipients}


@contextlib.contextmanager
def both(place: Path, settings: str, ours: NextHop, theirs: NextHop) -> Iterator[tuple[Postroad, Postfix]]:
    """Run Postroad and Postfix with the same settings, each with a next hop of its own."""
    main = MAIN + settings
    with (
        Postroad(place, main=main.replace("SINK", str(ours.port))) as server,
        postfix(place, "mx2", main=main.replace("SINK", str(theirs.port))) as other,
    ):
        yield server, other


@pytest.mark.parametrize("settings", SETTINGS)
def test_strangers_are_refused_as_postfix_refuses_them(place: Path, sinks, settings: str) -> None:
    with both(place, SETTINGS[settings], *sinks) as (server, other):
        for sender in SENDERS:
            said, expected = ask(server, OUTSIDE, sender), ask(other, OUTSIDE, sender)
            assert differences(said, expected) == {}
        server.wait_empty()
    # What comes for an alias that leads abroad goes there, and nothing else.
    assert outwards(sinks[0]) == {"friend@abroad.test"}


def test_clients_inside_may_send_anywhere(place: Path, sinks) -> None:
    with both(place, "", *sinks) as (server, other):
        said, expected = ask(server, INSIDE, ""), ask(other, INSIDE, "")
        different = differences(said, expected)
        assert all(NO_ADDRESS in pair for pair in different.values())
        server.wait_empty()
    assert outwards(sinks[0]) > {"u@far.test", "u@sub.far.test", "u@[127.0.0.9]", "friend@abroad.test"}
