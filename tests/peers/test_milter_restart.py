"""Milters are killed and started again while mail comes: none is lost, and none passes them by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filters.test_opendkim import _CONF, _keys
from peers.harness import Postroad, free_port
from peers.senders import PATIENT, Letter, Senders, heads, letters
from peers.services import GTUBE, Service, rspamd

pytestmark = pytest.mark.peer
UNAVAILABLE = (451, b"4.7.1 Service unavailable - try again later")


def taken(given: list[Letter]) -> list[Letter]:
    return [letter for letter in given if letter.is_taken]


def kill_again_and_again(milter: Service, senders: Senders, code: int, times: int = 4) -> None:
    """Kill it amid the load; it is back when mail was answered with ``code`` without it."""
    for moment in range(times):
        senders.wait(250, 15 + 7 * moment)
        milter.kill()
        senders.wait(code, 8)
        milter.start()


def told_as_by_postfix(server: Postroad, port: int) -> None:
    """Find the lines about a milter that is away, and about one that went."""
    name = f"inet:127.0.0.1:{port}"
    log = server.log()
    assert f"warning: connect to Milter service {name}: Connection refused\n" in log
    assert re.search(
        rf"/(smtpd|cleanup)\[\d+\]: warning: milter {re.escape(name)}: can't read SMFIC_\w+ reply packet header: "
        r"(Application error|Connection reset by peer|Broken pipe)\n",
        log,
    )


def test_no_mail_is_lost_or_unsigned_when_opendkim_dies(place: Path) -> None:
    _keys(place)
    (place / "internal").write_text("127.0.0.1\n")
    (place / "conf").write_text(_CONF.format(place=place))
    port, given = free_port(), letters(150, domain="example.org")
    command = ["opendkim", "-f", "-x", str(place / "conf"), "-p", f"inet:{port}@127.0.0.1"]
    main = f"smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\nmilter_connect_timeout = 2s"
    with Service(command, port, place / "out") as milter, Postroad(place, main=main, workers=2) as server:
        with Senders(server, given) as senders:
            kill_again_and_again(milter, senders, 451, 2)
            senders.finish()
        assert {answer for letter in given for answer in letter.answers if answer[0] != 250} == {UNAVAILABLE}
        found = heads(server.wait_mail("alice", len(given), 60), given)
        assert [name for name, head in found.items() if b"\nDKIM-Signature: v=1;" not in head] == []
        told_as_by_postfix(server, port)


def marked(head: bytes) -> bool:
    """Return whether Rspamd has seen it; it names the message as the server does."""
    mark = re.search(rb"\nX-Rspamd-Queue-Id: (\w+)", head)
    assert mark is None or b"with ESMTP id " + mark[1] + b"\n" in head
    return mark is not None


def test_no_mail_is_lost_or_unseen_when_rspamd_dies(place: Path) -> None:
    port, given = free_port(), letters(300, spam=GTUBE)
    spam = [letter for letter in given if letter.is_spam]
    clean = [letter for letter in given if not letter.is_spam]
    main = f"smtpd_milters = inet:127.0.0.1:{port}\n{PATIENT}"
    with rspamd(place, port) as milter, Postroad(place, main=main, workers=2) as server:
        with Senders(server, given) as senders:
            kill_again_and_again(milter, senders, 451)
            senders.finish()
        assert taken(given) == clean
        assert {letter.answers[-1] for letter in spam} == {(554, b"5.7.1 Gtube pattern")}
        put_off = {answer for letter in given for answer in letter.answers if 400 <= answer[0] < 500}
        assert put_off == {UNAVAILABLE}
        found = heads(server.wait_mail("alice", len(clean), 60), clean)
        server.wait_empty()
        assert [name for name, head in found.items() if not marked(head)] == []
        assert len(server.mailbox("alice")) == len(clean)
        told_as_by_postfix(server, port)


def test_mail_flows_unseen_while_rspamd_is_away_where_that_is_wanted(place: Path) -> None:
    port, given = free_port(), letters(302, spam=GTUBE)
    spam = [letter for letter in given if letter.is_spam]
    main = f"smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = accept\n{PATIENT}"
    with rspamd(place, port) as milter, Postroad(place, main=main, workers=2) as server:
        for part in (given[:100], given[100:200], given[200:300]):
            with Senders(server, part, each=3) as senders:
                senders.wait(250, 20)
                milter.kill()
                senders.finish()
            milter.start()
        with Senders(server, given[300:]) as senders:
            senders.finish()
        assert all(len(letter.answers) == 1 for letter in given)  # nobody was to come again
        refused = [letter for letter in given if not letter.is_taken]
        assert {answer for letter in refused for answer in letter.answers} == {(554, b"5.7.1 Gtube pattern")}
        assert set(refused) < set(spam)
        found = heads(server.wait_mail("alice", len(taken(given)), 60), taken(given))
        unseen = {name for name, head in found.items() if not marked(head)}
        assert unseen > {letter.name for letter in taken(spam)} > set()
        assert given[300] in refused
        assert marked(found[given[301].name])
