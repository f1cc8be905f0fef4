import pytest

from postroad.admin.journey import is_bounce, is_unchanged, travel
from postroad.base.clock import SystemClock

SENT = b"From: a\r\nTo: b\r\n\r\n.x\r\n"


@pytest.mark.parametrize(
    ("delivered", "unchanged"),
    [
        (b"From: a\nTo: b\n\n.x\n", True),
        (b"Return-Path: <a>\nReceived: from x\n\tby y\nFrom: a\nTo: b\n\n.x\n", True),
        (b"X-Spam: yes\nFrom: a\nTo: b\n\n.x\n", False),
        (b"not a field\nFrom: a\nTo: b\n\n.x\n", False),
        (b"From: a\nTo: b\n\n..x\n", False),
        (b"From: a\nTo: b\n\n.x\n\n", False),
        (b"", False),
    ],
)
def test_a_message_is_unchanged_if_only_trace_fields_stand_in_front(delivered, unchanged):
    assert is_unchanged(SENT, delivered) is unchanged


def report(action="failed", status="5.1.1", recipient="carol@x"):
    return (
        'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
        "Reporting-MTA: dns; m\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (report(), True),
        (report(action="delayed", status="4.4.1"), False),
        (report(recipient="other@x"), False),
        (b"Subject: hello\n\nfailed\n", False),
    ],
)
def test_a_bounce_reports_the_recipient_as_failed(text, expected):
    assert is_bounce(text, "carol@x") is expected


async def test_the_journey_is_made_to_its_end():
    journey = await travel(SystemClock())
    assert journey.good
    client, exchange = journey.delivered.legs
    said = [line.text for line in client.lines if line.who == "C"]
    assert said[0].startswith("EHLO")
    assert "..A line that begins with a dot keeps it," in said
    assert any(line.text.startswith("250 2.0.0 Ok: queued as") for line in exchange.lines)
    assert [q.kind for q in journey.delivered.questions] == ["MX", "A"]
    assert any(line.text.startswith("550 5.1.1") for line in journey.bounced.legs[1].lines)
    assert journey.delivered.begun < client.lines[0].at <= exchange.lines[0].at < journey.delivered.arrived
