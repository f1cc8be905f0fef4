"""Mailboxes: full ones, forwarded ones, and what senders are told about delays and deliveries."""

from __future__ import annotations

import email
import email.message
import email.utils
import re
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop

pytestmark = pytest.mark.peer


def status_of(notice: bytes) -> tuple[email.message.Message, list[email.message.Message]]:
    """Return the notice and the blocks of fields of its delivery status, the message's own first."""
    report = email.message_from_bytes(notice)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert len(report.get_payload()) == 3
    assert email.utils.parsedate_to_datetime(report["Date"])
    assert report["Auto-Submitted"] == "auto-replied"
    status = report.get_payload()[1]
    assert status.get_content_type() == "message/delivery-status"
    return report, status.get_payload()


# --- room


def test_an_mbox_that_is_full_takes_no_more(place: Path) -> None:
    main = (
        "message_size_limit = 2000\nvirtual_mailbox_limit = 3500\n"
        "virtual_mailbox_maps = inline:{alice@example.test=alice, bob@example.test=bob/}\n"
    )
    with Postroad(place, main=main) as server:
        content = message("A part", ("x" * 70 + "\r\n") * 15)
        for number in range(4):
            server.send("bob@example.test", ["alice@example.test"], content)
            server.wait_log(r"to=<alice@example\.test>.*status=", number + 1)
        lines = server.wait_log(r"to=<alice@example\.test>.*status=", 4)
        full = [line for line in lines if "status=bounced" in line]
        assert 0 < len(full) < 4
        assert all("dsn=5.2.2" in line and "error writing message: File too large" in line for line in full)
        notices = server.wait_mail("bob", len(full))
        _report, (_whole, recipient) = status_of(notices[0])
        assert (recipient["Action"], recipient["Status"]) == ("failed", "5.2.2")
        mbox = (server.mail / "alice").read_bytes()
        assert len(mbox) <= 3500
        assert mbox.count(b"Subject: A part") == 4 - len(full)
        server.wait_empty()


# --- aliases


def test_alias_maps_send_mail_on(place: Path) -> None:
    main = (
        "mydestination = local.test, $myhostname\nlocal_recipient_maps = $alias_maps\n"
        "alias_maps = hash:{etc}/aliases\nalias_database =\n"
    )
    aliases = "team: alice@example.test, inner\ninner: bob@example.test\nfar: r@far.example\n"
    with NextHop() as peer:
        more = f"relayhost = [127.0.0.1]:{peer.port}\n"
        with Postroad(place, main=main + more, files={"aliases": aliases}) as server:
            server.send("s@client.example", ["team@local.test"], message("To the team"))
            server.wait_mail("alice")
            server.wait_mail("bob")
            server.send("s@client.example", ["far@local.test"], message("To the far"))
            until(lambda: peer.accepted, 30, server.log)
            assert peer.accepted[0].recipients == ["r@far.example"]
            assert b"Delivered-To: far@local.test" in peer.accepted[0].content
            with server.connect() as client:
                client.ehlo()
                client.mail("s@client.example")
                assert client.rcpt("nobody@local.test")[0] == 550
            server.wait_empty()


def test_virtual_alias_maps_send_mail_on(place: Path) -> None:
    main = "virtual_alias_maps = inline:{{all@example.test = alice@example.test, bob@example.test}}\n"
    with Postroad(place, main=main) as server:
        server.send("s@client.example", ["all@example.test"], message("To all"))
        (kept,) = server.wait_mail("alice")
        server.wait_mail("bob")
        assert b"X-Original-To: all@example.test\nDelivered-To: alice@example.test\n" in kept


# --- what the sender is told


def test_a_delay_is_told_once(place: Path) -> None:
    main = (
        "delay_warning_time = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\n"
        "queue_run_delay = 1s\n"
        "relayhost = [127.0.0.1]:{hop}\n"
    )
    with NextHop(answers={"RCPT": "450 4.2.0 Come back"}) as peer:
        with Postroad(place, main=main.replace("{hop}", str(peer.port))) as server:
            server.send("alice@example.test", ["r@far.example"], message("Is late"))
            (notice,) = server.wait_mail("alice", 1, 30)
            server.wait_log(r"to=<r@far\.example>.*status=deferred", 4, 30)
            assert len(server.mailbox("alice")) == 1
            assert [each["sender"] for each in server.queue()] == ["alice@example.test"]
        report, (whole, recipient) = status_of(notice)
    assert report["Subject"] == "Delayed Mail (still being retried)"
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.0")
    assert email.utils.parsedate_to_datetime(recipient["Will-Retry-Until"])
    assert whole["Reporting-MTA"] == "dns; mx.example.test"


def test_a_delivery_is_told_to_who_asked(place: Path) -> None:
    with Postroad(place) as server:
        with server.connect() as client:
            client.ehlo()
            client.mail("alice@example.test", ["ENVID=A+2BB", "RET=HDRS"])
            client.rcpt("bob@example.test", ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;robert@old.example"])
            client.data(message("Was kept", "the body\r\n"))
        (notice,) = server.wait_mail("alice")
        report, (whole, recipient) = status_of(notice)
        server.wait_empty()
    assert report["Subject"] == "Successful Mail Delivery Report"
    assert whole["Original-Envelope-Id"] == "A+B"
    assert (recipient["Action"], recipient["Status"]) == ("delivered", "2.0.0")
    assert recipient["Original-Recipient"] == "rfc822;robert@old.example"
    assert recipient["Final-Recipient"] == "rfc822; bob@example.test"
    original = report.get_payload()[2]
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: Was kept" in original.get_payload()
    assert "the body" not in original.get_payload()


def test_a_delivery_to_a_next_hop_without_dsn_is_told_as_relayed(place: Path) -> None:
    with NextHop() as peer, Postroad(place, main=f"relayhost = [127.0.0.1]:{peer.port}") as server:
        with server.connect() as client:
            client.ehlo()
            client.mail("alice@example.test")
            client.rcpt("r@far.example", ["NOTIFY=SUCCESS"])
            client.data(message())
        (notice,) = server.wait_mail("alice")
        _report, (_whole, recipient) = status_of(notice)
        assert recipient["Action"] == "relayed"


def test_a_failure_is_not_told_to_who_wants_to_hear_nothing(place: Path) -> None:
    with (
        NextHop(answers={"RCPT": "550 5.1.1 no"}) as peer,
        Postroad(place, main=f"relayhost = [127.0.0.1]:{peer.port}") as server,
    ):
        with server.connect() as client:
            client.ehlo()
            client.mail("alice@example.test")
            client.rcpt("r@far.example", ["NOTIFY=NEVER"])
            client.data(message())
        server.wait_log(r"status=bounced")
        server.wait_empty()
        assert server.mailbox("alice") == []


def test_a_notice_quotes_no_more_of_a_message_than_bounce_size_limit(place: Path) -> None:
    with NextHop(answers={"RCPT": "550 5.1.1 no"}) as peer:
        main = f"relayhost = [127.0.0.1]:{peer.port}\nbounce_size_limit = 2000\n"
        with Postroad(place, main=main) as server:
            server.send("alice@example.test", ["r@far.example"], message("Big", ("x" * 70 + "\r\n") * 400))
            (notice,) = server.wait_mail("alice")
            assert len(notice) < 8000
            assert re.search(rb"Subject: Big", notice)


@pytest.mark.parametrize("name", ["mailbox_size_limit", "virtual_mailbox_limit"])
def test_a_mailbox_that_no_message_fits_into_is_named_before_the_start(place: Path, name: str) -> None:
    server = Postroad(place, main=f"message_size_limit = 2000\n{name} = 1999\n")
    done = server.run("check")
    assert name in done.stdout + done.stderr
    assert "message_size_limit" in done.stdout + done.stderr
