"""Replies through a filter, as Postfix takes them."""

from __future__ import annotations

import os
import re
import smtplib
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop
from peers.programs import postfix

pytestmark = [pytest.mark.peer, pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")]

_MAIN = """
default_transport = {program}:[127.0.0.1]:{port}
relay_transport = {program}:[127.0.0.1]:{port}
{program}_reply_filter = regexp:{{etc}}/filter
smtpd_recipient_restrictions = permit
"""
_SAYS = re.compile(r"(replacing server reply .*|(?:dsn|status)=.*)")
#: Rules; what the next hop says instead of the usual.
CASES = {
    "the final answer": ("/^250 2.0.0 Kept/ 550 5.7.1 changed", {}),
    "the greeting": ("/^220 next/ 554 5.0.0 no", {}),
    "a recipient": ("/^550 (5.1.1 .*)/ 450 4.1.1 later: $1", {"RCPT": "550 5.1.1 no such"}),
    "a feature": ("/^250-PIPELINING/ 250-NOTHING", {}),
    "garbage": (
        "!/^([2-5][0-9][0-9]($|[- ]))/ 250-filler for garbage",
        {"MAIL": "blah\r\n250 2.1.0 Ok"},
    ),
    "the last of several lines": ("/^550 5.1.1/ 450 4.1.1 x", {"RCPT": "550-5.1.1 one\r\n550 5.1.1 two"}),
    "a line without text": ("/^250 2.0.0 Kept/ 250", {}),
}


def heard(log: str, to: str) -> list[str]:
    """Return what is said of replies and of the message, without ports and numbers."""
    lines = [line for line in log.splitlines() if "replacing server" in line or f"to=<{to}>" in line]
    return [re.sub(r":\d{4,5}", ":PORT", _SAYS.findall(line)[0]) for line in lines]


@pytest.mark.parametrize("program", ["smtp", "lmtp"])
@pytest.mark.parametrize("case", CASES)
def test_a_reply_is_replaced_as_in_postfix(place: Path, case: str, program: str) -> None:
    rules, answers = CASES[case]
    answers = answers | {"LHLO": "250-next.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"}
    said = {}
    with NextHop(answers=answers) as hop:
        main = _MAIN.format(program=program, port=hop.port)
        files = {"filter": rules + "\n"}
        with (
            postfix(place, "postfix", main=main, files=files) as theirs,
            Postroad(place, main=main, files=files) as ours,
        ):
            for server in (theirs, ours):
                with smtplib.SMTP(server.host, server.port, timeout=30) as client:
                    client.sendmail("", ["r@far.example"], message())
                until(lambda server=server: "to=<r@far.example>" in server.log(), 30, server.log)
                said[server] = heard(server.log(), "r@far.example")
    assert said[ours] == said[theirs]
