"""Addresses verified by a probe at another server: it hears no message."""

from __future__ import annotations

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

_MAIN = """
relay_domains = relay.test
transport_maps = inline:{{relay.test=smtp:[127.0.0.1]:{port}}}
smtpd_recipient_restrictions = reject_unverified_recipient
unverified_recipient_reject_code = 550
smtpd_error_sleep_time = 0
"""


def said(line: str) -> str:
    return {
        "bad": "550 5.1.1 no such user",
        "later": "450 4.2.1 come later",
    }.get(line.partition("<")[2].partition("@")[0], "250 2.1.5 Ok")


@pytest.mark.peer
@pytest.mark.parametrize("target", ["rcpt", "data"])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_server_is_asked_once_and_gets_no_message(place, pipelining, target):
    answers = {"RCPT": said} | ({} if pipelining else {"EHLO": "250 next.example"})
    with (
        NextHop(answers=answers) as hop,
        Postroad(
            place, workers=2, main=_MAIN.format(port=hop.port) + f"smtp_address_verify_target = {target}"
        ) as server,
    ):
        replies = {}
        for _ in range(3):
            with server.connect() as client:
                client.ehlo()
                client.mail("a@example.net")
                for name in ("good", "bad", "later"):
                    replies[name] = client.rcpt(f"{name}@relay.test")
        assert replies["good"][0] == 250
        code, text = replies["bad"]
        assert code == 550
        assert text.startswith(b"5.1.1 <bad@relay.test>: Recipient address rejected: undeliverable address: ")
        assert text.endswith(b"said: 550 5.1.1 no such user (in reply to RCPT TO command)")
        assert replies["later"][0] == 450
        asked = [line for line in hop.lines if line.startswith("RCPT")]
        assert sorted(asked) == [f"RCPT TO:<{name}@relay.test>" for name in ("bad", "good", "later")]
        assert all("double-bounce@mx.example.test" in line for line in hop.lines if line.startswith("MAIL"))
        assert hop.accepted == []
        if target == "rcpt":
            assert "DATA" not in hop.lines
            until(lambda: hop.lines.count("RSET") >= 3)
            assert hop.lines.count("RSET") == 3
        else:
            assert hop.lines.count("DATA") == (3 if pipelining else 1)
        text = "250 2.1.5 Ok" if target == "rcpt" else "354 Go ahead"
        server.wait_log(rf"status=deliverable \({text}\)", 1)
        server.wait_log("status=undeliverable", 2)
        server.send("a@example.net", ["good@relay.test"], message("after the probe"))
        server.wait_empty()
        (kept,) = hop.accepted
        assert b"after the probe" in kept.content
