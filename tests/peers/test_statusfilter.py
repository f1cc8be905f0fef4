"""Reports of delivery agents through a filter, as Postfix writes them."""

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
default_transport = smtp:[127.0.0.1]:{port}
smtp_delivery_status_filter = regexp:{{etc}}/filter
default_delivery_status_filter = regexp:{{etc}}/other
smtpd_recipient_restrictions = permit
"""
_OTHER = "/^2(.*delivered).*/ 2$1 and hidden\n"
_SAID = re.compile(r"(?:dsn=.*|warning: smtp_delivery_status_filter.*)")
_HIDDEN = re.compile(r"relay=virtual.* dsn=2[.]0[.]0, status=sent [(]delivered and hidden[)]")
_NAMES = ("ok@far.example", "bad@far.example", "later@far.example")
CASES = {
    "4 becomes 5": ("/^4(.*)/ 5$1", ""),
    "5 becomes 4": ("/^5(.*)/ 4$1", ""),
    "other words": ("/^2([^ ]+) .*/ 2.9.9 hidden words", ""),
    "a status alone": ("/^2([^ ]+) .*/ 2.9.9", ""),
    "no failure of a success": ("/^2(.*)/ 5$1", ""),
    "no success of a failure": ("/^5(.*)/ 2$1", ""),
    "no status": ("/^(.*)/ [$1]", ""),
    "soft bounces": ("/^4(.*)/ 5$1", "soft_bounce = yes"),
}


def answer(line: str) -> str:
    return {"bad": "550 5.1.1 no user", "later": "450 4.2.1 later"}.get(
        line.partition("<")[2].partition("@")[0], "250 2.1.5 ok"
    )


def said(log: str) -> set[str]:
    """Return what is said of the three recipients, without what changes each time."""
    lines = [line for line in log.splitlines() if "_status_filter" in line or "@far.example>" in line]
    return {found[0] for line in lines if (found := _SAID.search(line))}


def report(content: bytes) -> list[str]:
    """Return the fields about recipients of a notice."""
    text = content.decode().replace("postfix.example", "X").replace("mx.example", "X")
    wanted = ("Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code")
    return sorted(line for line in text.splitlines() if line.startswith(wanted))


@pytest.mark.parametrize("case", CASES)
def test_a_status_is_replaced_as_in_postfix(place: Path, case: str) -> None:
    rules, more = CASES[case]
    lines, notices = {}, {}
    with NextHop(answers={"RCPT": answer}) as hop:
        main = _MAIN.format(port=hop.port) + more
        files = {"filter": rules + "\n", "other": _OTHER}
        with (
            postfix(place, "postfix", main=main, files=files, domain="here.test") as theirs,
            Postroad(place, main=main, files=files, domain="here.test", users=("all",)) as ours,
        ):
            for server in (theirs, ours):
                with smtplib.SMTP(server.host, server.port, timeout=30) as client:
                    client.sendmail("all@here.test", _NAMES, message())
                until(lambda server=server: server.log().count("@far.example>, relay") == 3, 30, server.log)
                lines[server] = said(server.log())
                if "status=bounced" in server.log():
                    until(lambda server=server: _HIDDEN.search(server.log()), 30, server.log)
                    (notice,) = server.messages() if server is theirs else server.mailbox("all")
                    notices[server] = report(notice)
    assert lines[ours] == lines[theirs]
    assert notices.get(ours) == notices.get(theirs)
