"""Sessions that break off, and next hops that talk nonsense: mail is tried again, and never lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import HANG_UP, SILENT, NextHop, in_turn, short
from peers.programs import nsd

pytestmark = pytest.mark.peer


@pytest.mark.parametrize(
    ("verb", "while_"),
    [
        ("connect", "receiving the initial server greeting"),
        ("EHLO", "performing the EHLO handshake"),
        ("MAIL", "sending MAIL FROM"),
        ("RCPT", "sending RCPT TO"),
        ("DATA", "sending DATA command"),
        (".", r"sending end of data -- message may be sent more than once"),
    ],
)
@pytest.mark.parametrize(("how", "words"), [(HANG_UP, "lost connection with"), (SILENT, "conversation with")])
def test_a_session_that_breaks_off_is_tried_again(
    place: Path, verb: str, while_: str, how: str, words: str
) -> None:
    answers = {verb: in_turn(how, {"connect": "220 hi", "DATA": "354 go"}.get(verb, "250 2.0.0 ok"))}
    if verb in ("connect", "EHLO") and how == HANG_UP:
        answers["HELO"] = HANG_UP
    with NextHop(answers=answers) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        (line,) = server.wait_log(r"to=<r@far\.example>.*status=deferred")[:1]
        assert words in line
        assert while_ in line
        answers.pop("HELO", None)
        until(lambda: len(peer.accepted) == 1, 30, server.log)
        server.wait_empty()
        assert server.mailbox("alice") == []


def test_a_broken_session_is_followed_by_the_next_host(place: Path) -> None:
    with NextHop("127.0.0.61", answers={"MAIL": HANG_UP}) as bad, NextHop("127.0.0.62", bad.port) as good:
        zone = {"two.test": "@ MX 1 bad\n@ MX 2 good\nbad A 127.0.0.61\ngood A 127.0.0.62\n"}
        with nsd(place, zone) as dns:
            main = f"resolver_addresses = {dns}\nsmtp_tcp_port = {bad.port}\n"
            with Postroad(place, main=main) as server:
                server.send("s@client.example", ["r@two.test"], message())
                until(lambda: len(good.accepted) == 1, 30)
                server.wait_empty()


@pytest.mark.parametrize(
    "answer",
    [
        "garbage without a number",
        "999 what",
        "250" + "-x\r\n250" * 2000 + " ok",
        "250 " + "y" * 100_000,
        "\x00\xff",
    ],
)
@pytest.mark.parametrize("verb", ["connect", "EHLO", "RCPT", "."])
def test_nonsense_from_a_next_hop_neither_loses_mail_nor_stops_the_server(
    place: Path, verb: str, answer: str
) -> None:
    with NextHop(answers={verb: answer}) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        server.wait_log(r"to=<r@far\.example>.*status=")
        server.send("s@client.example", ["bob@example.test"], message())
        server.wait_mail("bob")
        peer.answers.clear()
        if not re.search(
            r"status=(sent|bounced)", server.log().partition("to=<r@far.example>")[2].partition("\n")[0]
        ):
            until(lambda: peer.accepted, 30)
        assert "Traceback" not in server.log() + server.output()
        assert server.log().count("non-ESMTP response") < 20
