"""Notices, read back by the standard library's email package."""

import email
import email.policy

import pytest

from postroad.mail.dsn import Entry, Kind, Notice, compose, one_line

RETURNED = b"From: a@x\r\nSubject: hello\r\n\r\nbody\r\n"


def notice(kind=Kind.FAILURE, entries=None, **rest):
    entries = entries or [
        Entry(
            "r@y",
            kind.value,
            "5.1.1",
            "host mx.y[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)",
            "rfc822;r@y",
            "r@y",
            "mx.y",
            "550 5.1.1 no such user",
        ),
    ]
    values = {
        "kind": kind,
        "sender": "MAILER-DAEMON@mx.x",
        "to": "a@x",
        "hostname": "mx.x",
        "mail_name": "Postfix",
        "queue_id": "ABC",
        "arrival": "Mon, 23 Nov 2026 06:00:01 +0000",
        "date": "Mon, 23 Nov 2026 06:00:02 +0000",
        "boundary": "DEF.1/mx.x",
        "message_id": "1@mx.x",
        "original_sender": "a@x",
        "entries": entries,
        "returned": RETURNED,
    }
    return Notice(**(values | rest))


def parts(data):
    assert data.count(b"\n") == data.count(b"\r\n")
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    return message, message.get_payload()


def test_a_failure_is_a_report_with_text_status_and_the_message():
    message, (text, status, returned) = parts(compose(notice()))
    assert message["Subject"] == "Undelivered Mail Returned to Sender"
    assert message["Auto-Submitted"] == "auto-replied"
    assert "<r@y>: host mx.y[192.0.2.1] said: 550" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; mx.x"
    assert per_recipient["Final-Recipient"] == "rfc822; r@y"
    assert per_recipient["Original-Recipient"] == "rfc822;r@y"
    assert per_recipient["Action"] == "failed"
    assert per_recipient["Status"] == "5.1.1"
    assert per_recipient["Remote-MTA"] == "dns; mx.y"
    assert per_recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert returned.get_payload()[0]["Subject"] == "hello"


@pytest.mark.parametrize(
    ("kind", "subject", "action"),
    [
        (Kind.FAILURE, "Undelivered Mail Returned to Sender", "failed"),
        (Kind.DELAY, "Delayed Mail (still being retried)", "delayed"),
        (Kind.SUCCESS, "Successful Mail Delivery Report", "delivered"),
    ],
)
def test_each_kind_has_its_subject_and_action(kind, subject, action):
    message, (_text, status, _returned) = parts(
        compose(notice(kind), warning_seconds=3600, lifetime_seconds=432000)
    )
    assert message["Subject"] == subject
    assert status.get_payload()[1]["Action"] == action


def test_a_delay_says_how_late_it_is_and_until_when_it_is_tried():
    data = compose(
        notice(Kind.DELAY, retry_until="Tue, 24 Nov 2026 06:00:01 +0000"),
        warning_seconds=14400,
        lifetime_seconds=432000,
    )
    _message, (text, status, _returned) = parts(data)
    assert "more than 4 hour(s)" in text.get_content()
    assert "until it is 5 day(s) old" in text.get_content()
    assert status.get_payload()[1]["Will-Retry-Until"].startswith("Tue")


def test_headers_only_when_asked():
    _message, (_text, _status, returned) = parts(
        compose(notice(headers_only=True, returned=b"Subject: hello\r\n"))
    )
    assert returned.get_content_type() == "text/rfc822-headers"


def test_our_own_words_are_no_smtp_diagnostic():
    entry = Entry("r@y", "failed", "5.4.4", "Host not found")
    _message, (_text, status, _returned) = parts(compose(notice(entries=[entry])))
    assert status.get_payload()[1]["Diagnostic-Code"] == "X-Postfix; Host not found"
    assert "Remote-MTA" not in status.get_payload()[1]


@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: victim@z", "x\nBcc: v@z", "x\0\x85y", "x\u2028Bcc: v@z", "\r\n\r\n--DEF.1/mx.x--\r\n"]
)
def test_nothing_from_outside_can_add_a_field(evil):
    entry = Entry(f"r{evil}@y", "failed", "5.0.0", evil, f"rfc822;{evil}", evil, evil, evil)
    data = compose(notice(entries=[entry], to=f"a{evil}@x", original_sender=f"a{evil}", envid=evil))
    assert b"\r\nBcc:" not in data
    assert data.count(b"\r\n--DEF.1/mx.x--") == 1
    parts(data)


def test_utf8_addresses_make_a_global_report():
    entry = Entry("用户@例子.example", "failed", "5.1.1", "unknown")
    _message, (text, status, _returned) = parts(compose(notice(entries=[entry], smtputf8=True)))
    assert status.get_content_type() == "message/global-delivery-status"
    assert "用户@例子.example" in text.get_content()


def test_long_texts_are_cut_and_lines_stay_short():
    entry = Entry("r@y", "failed", "5.0.0", "word " * 5000, "", "", "h", "550 " + "x" * 100000)
    data = compose(notice(entries=[entry]))
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


@pytest.mark.parametrize(("text", "line"), [("a", "a"), ("a\r\nb", "a b"), (" a ", "a"), ("\x00\x01", "")])
def test_one_line(text, line):
    assert one_line(text) == line


# What Postfix 3.7.11 sent, word for word (names and times replaced).
POSTFIX = """\
Date: Mon, 23 Nov 2026 06:00:02 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.x>
Subject: Undelivered Mail Returned to Sender
To: a@x
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="DEF.1/mx.x"
Content-Transfer-Encoding: 8bit
Message-Id: <1@mx.x>

This is a MIME-encapsulated message.

--DEF.1/mx.x
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system at host mx.x.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system

<bad@x.test>: host 127.0.0.1[127.0.0.1] said: 550 5.1.1 <bad@x.test>: Recipient
    address rejected: User unknown in relay recipient table; see the
    documentation at https://example.com/help/a/very/long/link for more (in
    reply to RCPT TO command)

<bad@x.test> (expanded from <alias@x.test>): host 127.0.0.1[127.0.0.1] said:
    550 5.1.1 <bad@x.test>: Recipient address rejected: User unknown in relay
    recipient table; see the documentation at
    https://example.com/help/a/very/long/link for more (in reply to RCPT TO
    command)

--DEF.1/mx.x
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.x
Original-Envelope-Id: abc+1
X-Postfix-Queue-ID: ABC
X-Postfix-Sender: rfc822; a@x
Arrival-Date: Mon, 23 Nov 2026 06:00:01 +0000

Final-Recipient: rfc822; bad@x.test
Original-Recipient: rfc822;Bad+x@x.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: smtp; 550 5.1.1 <bad@x.test>: Recipient address rejected: User
    unknown in relay recipient table; see the documentation at
    https://example.com/help/a/very/long/link for more

Final-Recipient: rfc822; bad@x.test
Original-Recipient: rfc822;alias@x.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; 127.0.0.1
Diagnostic-Code: smtp; 550 5.1.1 <bad@x.test>: Recipient address rejected: User
    unknown in relay recipient table; see the documentation at
    https://example.com/help/a/very/long/link for more

--DEF.1/mx.x
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Return-Path: <a@x>
From: a@x
Subject: hello

body

--DEF.1/mx.x--
"""


def test_a_bounce_is_word_for_word_what_postfix_sends():
    reply = (
        "550 5.1.1 <bad@x.test>: Recipient address rejected: User unknown in relay recipient table; "
        "see the documentation at https://example.com/help/a/very/long/link for more"
    )
    text = f"host 127.0.0.1[127.0.0.1] said: {reply} (in reply to RCPT TO command)"
    one = Entry(
        "bad@x.test", "failed", "5.1.1", text, "rfc822;Bad+x@x.test", "bad@x.test", "127.0.0.1", reply
    )
    two = Entry("bad@x.test", "failed", "5.1.1", text, "", "alias@x.test", "127.0.0.1", reply)
    data = compose(notice(entries=[one, two], envid="abc+1"))
    assert data.decode().replace("\r\n", "\n") == POSTFIX


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        (Kind.FAILURE, "Undelivered Message Headers"),
        (Kind.DELAY, "Undelivered Message Headers"),
        (Kind.SUCCESS, "Message Headers"),
    ],
)
def test_the_returned_header_is_described_as_postfix_does(kind, description):
    assert f"\r\nContent-Description: {description}\r\n".encode() in compose(notice(kind, headers_only=True))


@pytest.mark.parametrize(("warning", "hours"), [(3600, 1), (5400, 1), (7200, 2)])
def test_the_hours_of_a_delay_are_whole(warning, hours):
    data = compose(notice(Kind.DELAY), warning_seconds=warning, lifetime_seconds=432000)
    assert f"for more than {hours} hour(s).".encode() in data


def test_a_word_without_end_is_cut():
    data = compose(notice(entries=[Entry("r@y", "failed", "5.0.0", "x" * 5000)]))
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


def test_an_original_recipient_with_utf8_is_of_the_type_utf8():
    entry = Entry("r@y", "failed", "5.1.1", "unknown", "", "用户@例子.example")
    assert "\r\nOriginal-Recipient: utf-8;用户@例子.example\r\n".encode() in compose(
        notice(entries=[entry], smtputf8=True)
    )
