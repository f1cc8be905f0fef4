"""Next hops that fail in every way: mail is retried, returned or passed on to another, and never lost."""

from __future__ import annotations

import email
import re
import socket
import time
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message, until
from peers.nexthop import SILENT, NextHop, in_turn, short

pytestmark = pytest.mark.peer

# --- it cannot be reached


def test_a_dead_next_hop_gets_the_mail_when_it_is_back(place: Path) -> None:
    port = free_port()
    with Postroad(place, main=short(port)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        server.wait_log(
            rf"to=<r@far\.example>, relay=none, .*dsn=4\.4\.1, status=deferred "
            rf"\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:{port}: Connection refused\)"
        )
        with NextHop(port=port) as peer:
            until(lambda: len(peer.accepted) == 1, 30)
            server.wait_empty()
            assert server.mailbox("alice") == []


def test_a_next_hop_that_never_greets_is_left_for_later(place: Path) -> None:
    with NextHop(answers={"connect": SILENT}) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        server.wait_log(
            r"dsn=4\.4\.2, status=deferred \(conversation with 127\.0\.0\.1\[127\.0\.0\.1\] "
            r"timed out while receiving the initial server greeting\)"
        )
        del peer.answers["connect"]
        until(lambda: len(peer.accepted) == 1, 30)
        server.wait_empty()


def test_a_next_hop_whose_connections_are_never_accepted_is_left_for_later(place: Path) -> None:
    # A full queue of a listening socket drops what asks to be connected, as a firewall does.
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        fill = [socket.socket() for _ in range(3)]
        for each in fill:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        with Postroad(place, main=short(port)) as server:
            server.send("alice@example.test", ["r@far.example"], message())
            server.wait_log(rf"status=deferred \(connect to .*:{port}: Connection timed out\)")
            assert [each["queue_name"] for each in server.queue()] in (["deferred"], ["active"])
        for each in fill:
            each.close()


def test_while_one_destination_hangs_others_get_their_mail_at_once(place: Path) -> None:
    with NextHop(answers={"connect": SILENT}) as slow, NextHop() as quick:
        more = "smtp_helo_timeout = 100s\nshutdown_time_limit = 1s\n"
        main = short(slow, f"{more}transport_maps = inline:{{quick.example=smtp:[127.0.0.1]:{quick.port}}}\n")
        with Postroad(place, main=main) as server:
            for number in range(30):
                server.send("s@client.example", [f"r{number}@slow.example"], message())
            server.send("s@client.example", ["r@quick.example"], message())
            until(lambda: len(quick.accepted) == 1)
            assert "status=deferred" not in server.log()


# --- it refuses


def test_mail_refused_for_good_comes_back_to_its_sender(place: Path) -> None:
    answers = {"RCPT": "550 5.1.1 <r@far.example>: No such user here"}
    with NextHop(answers=answers) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message("Was refused"))
        (notice,) = server.wait_mail("alice")
        server.wait_empty()
        assert peer.received == []
    report = email.message_from_bytes(notice)
    assert report.get_content_type() == "multipart/report"
    assert "MAILER-DAEMON@mx.example.test" in report["From"]
    assert report["To"] == "alice@example.test"
    assert notice.startswith(b"Return-Path: <>\n")
    text, status, original = report.get_payload()
    assert "<r@far.example>: No such user here" in re.sub(r"\s+", " ", text.get_payload())
    assert status.get_content_type() == "message/delivery-status"
    fields = status.get_payload()[1]
    assert (fields["Final-Recipient"], fields["Action"], fields["Status"]) == (
        "rfc822; r@far.example",
        "failed",
        "5.1.1",
    )
    assert fields["Remote-MTA"] == "dns; 127.0.0.1"
    assert re.sub(r"\s+", " ", fields["Diagnostic-Code"]).startswith("smtp; 550 5.1.1 <r@far.example>")
    assert original.get_payload()[0]["Subject"] == "Was refused"


def test_content_refused_at_the_final_dot_comes_back(place: Path) -> None:
    answers = {".": "554 5.7.1 We do not like it"}
    with NextHop(answers=answers) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        server.wait_log(
            r"dsn=5\.7\.1, status=bounced \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: "
            r"554 5\.7\.1 We do not like it \(in reply to end of DATA command\)\)"
        )
        server.wait_mail("alice")
        server.wait_empty()
        assert len(peer.received) == 1


def test_a_bounce_that_bounces_goes_nowhere_further(place: Path) -> None:
    with NextHop(answers={"RCPT": "550 5.1.1 no"}) as peer, Postroad(place, main=short(peer)) as server:
        server.send("s@far.example", ["r@far.example"], message())
        server.wait_log(r"from=<>.*nrcpt=1")
        server.wait_empty()
        assert [line for line in peer.lines if line.startswith("MAIL")] == [
            next(line for line in peer.lines if "s@far.example" in line and line.startswith("MAIL")),
            next(line for line in peer.lines if line.startswith("MAIL FROM:<>")),
        ]


def test_one_refused_recipient_does_not_keep_the_others_from_their_mail(place: Path) -> None:
    def judge(line: str) -> str:
        if "later" in line:
            return "450 4.2.1 later"
        return "550 5.1.1 never" if "never" in line else "250 2.1.5 Ok"

    with NextHop(answers={"RCPT": judge}) as peer, Postroad(place, main=short(peer)) as server:
        to = ["one@far.example", "never@far.example", "later@far.example", "two@far.example"]
        server.send("alice@example.test", to, message())
        until(lambda: peer.accepted)
        assert sorted(peer.accepted[0].recipients) == ["one@far.example", "two@far.example"]
        (notice,) = server.wait_mail("alice")
        assert b"Final-Recipient: rfc822; never@far.example" in notice
        assert b"later@far.example" not in notice.partition(b"message/rfc822")[0]
        until(
            lambda: (
                [[each["address"] for each in left["recipients"]] for left in server.queue()]
                == [["later@far.example"]]
            )
        )
        peer.answers.clear()
        until(lambda: len(peer.accepted) == 2, 30)
        assert peer.accepted[1].recipients == ["later@far.example"]
        server.wait_empty()


# --- it wants the mail later


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("connect", "421 4.3.2 Too busy"),
        ("connect", "450 4.3.2 Too busy"),
        ("MAIL", "451 4.3.0 Not now"),
        ("RCPT", "450 4.2.0 Greylisted, come back"),
        ("RCPT", "421 4.7.0 Come back"),
        ("DATA", "451 4.3.0 Not now"),
        (".", "451 4.3.0 Not now"),
        (".", "421 4.3.0 Not now"),
    ],
)
def test_mail_that_is_wanted_later_is_brought_later(place: Path, verb: str, answer: str) -> None:
    answers = {verb: in_turn(answer, {"connect": "220 hi", "DATA": "354 go"}.get(verb, "250 2.0.0 ok"))}
    with NextHop(answers=answers) as peer, Postroad(place, main=short(peer)) as server:
        server.send("alice@example.test", ["r@far.example"], message())
        (line,) = server.wait_log(r"to=<r@far\.example>.*status=deferred")[:1]
        assert answer in line
        until(lambda: len(peer.accepted) == 1, 30)
        server.wait_log(r"to=<r@far\.example>.*status=sent")
        server.wait_empty()
        assert server.mailbox("alice") == []


def test_mail_that_is_wanted_later_for_too_long_comes_back(place: Path) -> None:
    more = "maximal_queue_lifetime = 2s\n"
    with (
        NextHop(answers={"RCPT": "450 4.2.0 Not yet"}) as peer,
        Postroad(place, main=short(peer, more)) as server,
    ):
        server.send("alice@example.test", ["r@far.example"], message())
        server.wait_log(r"from=<alice@example\.test>, status=expired, returned to sender", seconds=30)
        (notice,) = server.wait_mail("alice")
        assert b"Status: 4.2.0" in notice
        assert b"Action: failed" in notice
        server.wait_empty()


# --- it sends it round in circles


def test_two_servers_that_send_mail_to_each_other_return_it_once(place: Path) -> None:
    one_port, two_port = free_port(), free_port()
    common = "hopcount_limit = 10\nrelay_domains = circle.test\n"
    with (
        Postroad(
            place,
            name="one",
            port=one_port,
            main=f"{common}relayhost = [127.0.0.1]:{two_port}",
            users=("alice",),
        ) as one,
        Postroad(
            place,
            name="two",
            port=two_port,
            main=f"{common}relayhost = [127.0.0.1]:{one_port}",
            domain="two.test",
        ) as two,
    ):
        one.send("alice@example.test", ["r@circle.test"], message())
        notices = one.wait_mail("alice", 1, 30)
        one.wait_empty()
        two.wait_empty()
        time.sleep(0.2)
        notices = one.mailbox("alice")
        assert len(notices) == 1
        assert b"Status: 5.4.0" in notices[0]
        assert b"too many hops" in re.sub(rb"\s+", b" ", notices[0])
