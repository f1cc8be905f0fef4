"""LMTP to a real Dovecot: an answer for each recipient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import Postroad, a_place, message, until
from peers.nexthop import NextHop, in_turn
from peers.programs import Dovecot, dovecot

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def mailboxes() -> Iterator[Dovecot]:
    with a_place() as place, dovecot(place) as running:
        yield running


def lmtp(nexthop: str) -> str:
    """Return settings that take box.test to the LMTP server."""
    return f"virtual_mailbox_domains = example.test\ntransport_maps = inline:{{box.test=lmtp:{nexthop}}}\n"


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_each_recipient_gets_an_answer_of_its_own(place: Path, mailboxes: Dovecot, kind: str) -> None:
    nexthop = f"unix:{mailboxes.socket}" if kind == "unix" else f"inet:127.0.0.1:{mailboxes.port}"
    before = {user: len(mailboxes.mailbox(user)) for user in ("carol", "dave")}
    with Postroad(place, main=lmtp(nexthop)) as server:
        to = [f"{user}@box.test" for user in ("carol", "nobody", "full", "dave")]
        server.send("alice@example.test", to, message("To four", "x" * 100 + "\r\n.\r\n"))
        until(
            lambda: all(len(mailboxes.mailbox(user)) == count + 1 for user, count in before.items()),
            10,
            lambda: server.log() + mailboxes.log(),
        )
        shown = r"\[.*/lmtp\]" if kind == "unix" else rf"\[127\.0\.0\.1\]:{mailboxes.port}"
        to_carol = rf"lmtp\[\d+\]: \w+: to=<carol@box\.test>, relay=\S*{shown}, "
        server.wait_log(to_carol + r".*status=sent \(250 2\.0\.0 .* Saved\)")
        server.wait_log(r"to=<dave@box\.test>, .*status=sent")
        server.wait_log(
            r"to=<nobody@box\.test>, .*dsn=5\.1\.1, status=bounced \(.*550 5\.1\.1 .*RCPT TO command\)"
        )
        server.wait_log(r"to=<full@box\.test>, .*dsn=5\.2\.2, status=bounced \(.*552 5\.2\.2 .*[Qq]uota")
        (notice,) = server.wait_mail("alice")
        report = notice.partition(b"message/rfc822")[0]
        assert [f"{user}@box.test".encode() in report for user in ("carol", "nobody", "full", "dave")] == [
            False,
            True,
            True,
            False,
        ]
        server.wait_empty()
    kept = mailboxes.mailbox("carol")[-1]
    assert kept.endswith(b"\n\n" + b"x" * 100 + b"\n.\n")


def test_a_missing_lmtp_socket_defers(place: Path) -> None:
    with Postroad(place, main=lmtp(f"unix:{place}/nothing")) as server:
        server.send("s@client.example", ["carol@box.test"], message())
        server.wait_log(r"status=deferred \(connect to .*nothing\]: No such file or directory\)")
        (left,) = server.queue()
        assert left["queue_name"] == "deferred"


def test_a_path_relative_to_the_queue_reaches_an_lmtp_server(place: Path, mailboxes: Dovecot) -> None:
    before = len(mailboxes.mailbox("dave"))
    with Postroad(place, main=lmtp("unix:socket")) as server:
        (server.work / "queue/socket").symlink_to(mailboxes.socket)
        server.send("s@client.example", ["dave@box.test"], message())
        until(lambda: len(mailboxes.mailbox("dave")) == before + 1, 30, server.log)


def test_recipients_refused_for_now_after_the_dot_are_tried_again_alone(place: Path) -> None:
    # A next hop that speaks LMTP: after the dot one answer for each recipient, in their order.
    answers = {
        "LHLO": "250-next\r\n250-PIPELINING\r\n250 8BITMIME",
        ".": in_turn("250 2.0.0 a\r\n452 4.2.2 b\r\n250 2.0.0 c", "250 2.0.0 at last"),
    }
    with NextHop(answers=answers) as peer:
        main = lmtp(f"inet:127.0.0.1:{peer.port}")
        main += "minimal_backoff_time = 1s\nmaximal_backoff_time = 1s\nqueue_run_delay = 1s\n"
        with Postroad(place, main=main) as server:
            server.send("s@client.example", ["a@box.test", "b@box.test", "c@box.test"], message())
            server.wait_log(r"to=<b@box\.test>.*dsn=4\.2\.2, status=deferred")
            until(lambda: len(peer.received) == 2, 30)
            assert peer.received[1].recipients == ["b@box.test"]
            server.wait_empty()
