"""pflogsumm reads our log as it reads Postfix's: its counts are what was done."""

from __future__ import annotations

import re
import smtplib
import subprocess
from pathlib import Path

import pytest

from peers.harness import Postroad, message
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer


def _recipient(line: str) -> str:
    if "<refuse@" in line:
        return "550 5.1.1 Nobody here"
    return "450 4.2.0 Later" if "<later@" in line else "250 2.1.5 Ok"


def _refused(server: Postroad, sender: str, recipient: str) -> None:
    with server.connect() as client:
        client.ehlo()
        client.mail(sender)
        assert client.rcpt(recipient)[0] >= 400


def _mixed_run(server: Postroad) -> None:
    """3 messages to alice, 2 to both, 2 far away, 2 refused there, 2 deferred; 4 refused here."""
    for number in range(3):
        server.send("s@client.example", ["alice@example.test"], message(f"Number {number}"))
    for _ in range(2):
        server.send("s@client.example", ["alice@example.test", "bob@example.test"], message())
        server.send("s@client.example", ["take@far.example"], message())
        server.send("bob@example.test", ["refuse@far.example"], message())
        server.send("s@client.example", ["later@far.example"], message())
    for _ in range(3):
        _refused(server, "s@client.example", "nobody@example.test")
    with server.connect() as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail("s@client.example", ["alice@example.test"], "x" * 200_001)
    server.wait_mail("alice", 5)
    server.wait_mail("bob", 4)
    server.wait_log("status=deferred", 2)
    server.wait_log(": removed$", 11)


def _summary(server: Postroad, *options: str) -> str:
    done = subprocess.run(
        ["/usr/sbin/pflogsumm", *options, str(server.work / "maillog")],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def _number(summary: str, name: str) -> int:
    found = re.search(rf"^ +(\d+) +{name}\b", summary, re.MULTILINE)
    assert found, f"no {name} in\n{summary}"
    return int(found[1])


def test_the_totals_are_what_was_done(place: Path) -> None:
    with NextHop(answers={"RCPT": _recipient}) as peer:
        main = f"relayhost = [127.0.0.1]:{peer.port}\nmessage_size_limit = 200000\n"
        with Postroad(place, main=main) as server:
            _mixed_run(server)
            server.stop()
            text = _summary(server, "--verbose-msg-detail")
    counts = {
        name: _number(text, name)
        for name in ("received", "delivered", "forwarded", "deferred", "bounced", "rejected", "held")
    }
    # Two notices are delivered too; like Postfix's, they have no client= line and are not "received".
    assert counts == {
        "received": 11,
        "delivered": 3 + 4 + 2 + 2,
        "forwarded": 0,
        "deferred": 2,
        "bounced": 2,
        "rejected": 4,
        "held": 0,
    }, text
    assert "(2  deferrals)" in text
    assert re.search(r"^ +\d+ +s@client\.example$", text, re.MULTILINE), "senders by message count"
    assert re.search(r"^ +5 +alice@example\.test$", text, re.MULTILINE), "recipients by message count"
    deferrals = text.partition("message deferral detail")[2].partition("message bounce detail")[0]
    assert "450 4.2.0 Later" in deferrals
    bounces = text.partition("message bounce detail")[2].partition("message reject detail")[0]
    assert "550 5.1.1 Nobody here" in bounces
    rejects = text.partition("message reject detail")[2]
    assert "User unknown in virtual mailbox table" in rejects


def test_a_log_with_warnings_is_understood(place: Path) -> None:
    with Postroad(place, main="transport_maps = inline:{x.example=nowhere:}\n") as server:
        server.send("s@client.example", ["a@x.example"], message())
        server.wait_log("status=deferred")
        server.stop()
        text = _summary(server)
    warnings = text.partition("Warnings")[2]
    assert "nowhere" in warnings
