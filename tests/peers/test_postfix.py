"""A real Postfix on both sides: it gives us mail, and takes it."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, message, until
from peers.programs import Postfix, postfix

pytestmark = pytest.mark.peer

_BODY = "One\r\n.\r\n..two\r\n" + "long " * 190 + "\r\n邮件\r\n"
_DATE = "Thu, 1 Oct 2026 10:00:00 +0000"
_CONTENT = message("中文 and more", _BODY, Message_ID="<kept@client.example>", Date=_DATE, X_Odd="a;\r\n\tb")


def send(peer: Postfix, recipient: str, content: bytes, *options: str) -> None:
    with smtplib.SMTP(peer.host, peer.port, local_hostname="client.example", timeout=30) as client:
        client.sendmail("s@client.example", [recipient], content, ["BODY=8BITMIME", *options])


def test_mail_from_postfix_through_postroad_to_postfix_arrives_as_it_was(place: Path) -> None:
    middle = free_port()
    with (
        postfix(place, "last") as last,
        Postroad(place, port=middle, main=f"relayhost = [127.0.0.1]:{last.port}") as server,
        postfix(place, "first", main=f"relayhost = [127.0.0.1]:{middle}", domain="elsewhere.test") as first,
    ):
        send(first, "alice@postfix.test", _CONTENT)
        until(last.messages, 30, lambda: first.log() + server.log() + last.log())
        (kept,) = last.messages()
        head, _, content = kept.partition(b"From: sender@")
        assert b"From: sender@" + content == _CONTENT.replace(b"\r\n", b"\n")
        hosts = re.findall(rb"Received: from (\S+)", head)
        assert hosts == [b"mx.example.test", b"first.example.test", b"client.example"]
        until(lambda: "removed" in first.log(), 30)
        server.wait_empty()


def test_a_refusal_of_postfix_reaches_the_sender_at_postfix(place: Path) -> None:
    middle = free_port()
    refusing = "smtpd_recipient_restrictions = check_recipient_access static:{REJECT Not here}\n"
    # Postroad takes the mail from the first, is refused by the last, and sends the notice to the first.
    with (
        postfix(place, "last", main=refusing) as last,
        postfix(place, "first", main=f"relayhost = [127.0.0.1]:{middle}", domain="first.test") as first,
        Postroad(
            place,
            port=middle,
            main=(
                f"transport_maps = inline:{{first.test=smtp:[127.0.0.1]:{first.port}, "
                f"postfix.test=smtp:[127.0.0.1]:{last.port}}}"
            ),
        ) as server,
    ):
        with smtplib.SMTP(first.host, first.port, local_hostname="client.example", timeout=30) as client:
            client.sendmail("s@first.test", ["r@postfix.test"], _CONTENT)
        until(first.messages, 30, lambda: first.log() + server.log() + last.log())
        (notice,) = first.messages()
        notice = re.sub(rb"\s+", b" ", notice)
        assert (
            b"Diagnostic-Code: smtp; 554 5.7.1 <r@postfix.test>: Recipient address rejected: Not here"
            in notice
        )
        server.wait_empty()


def test_postfix_hears_of_an_unknown_recipient_at_once(place: Path) -> None:
    with (
        Postroad(place) as server,
        postfix(place, "first", main=f"relayhost = [127.0.0.1]:{server.port}", domain="first.test") as first,
    ):
        with smtplib.SMTP(first.host, first.port, local_hostname="client.example", timeout=30) as client:
            client.sendmail("s@first.test", ["alice@example.test", "nobody@example.test"], _CONTENT)
        until(first.messages, 30, lambda: first.log() + server.log())
        (notice,) = first.messages()
        assert (
            b"<nobody@example.test>: Recipient address rejected: User unknown in virtual mailbox table"
            in (re.sub(rb"\s+", b" ", notice))
        )
        server.wait_mail("alice")


def test_a_success_notice_is_asked_for_through_postroad_and_postfix_makes_it(place: Path) -> None:
    with (
        postfix(place, "last") as last,
        Postroad(
            place, main=f"transport_maps = inline:{{postfix.test=smtp:[127.0.0.1]:{last.port}}}"
        ) as server,
    ):
        # The sender's mailbox is at the last server, too.
        with server.connect() as client:
            client.ehlo()
            client.mail("s@postfix.test", ["RET=HDRS", "ENVID=QQ314159"])
            client.rcpt("r@postfix.test", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;r@old.example"])
            client.data(_CONTENT)
        until(lambda: len(last.messages()) == 2, 30, lambda: server.log() + last.log())
        (notice,) = [each for each in last.messages() if b"Successful Mail Delivery Report" in each]
        assert b"Original-Envelope-Id: QQ314159" in notice
        assert b"Original-Recipient: rfc822;r@old.example" in notice
