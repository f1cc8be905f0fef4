import pytest

from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.model.params import params as model_params
from postroad.outcome.notices import Notices, rfc5322_stamp, success_wanted
from postroad.outcome.params import params as outcome_params


def notices(content, **texts):
    async def expand(_sender, recipients):
        return [Recipient("alias-of-" + r.address) for r in recipients]

    settings = settings_of([model_params, outcome_params], myhostname="mx.x", **texts)
    keys = iter(range(100, 200))
    return Notices(
        settings,
        content=content,
        new_key=lambda: next(keys),
        expand=expand,
        log=Log(ListSink()),
        clock=TestClock(),
    )


def unreadable(_message):
    raise OSError("gone")


NO = Outcome("5.0.0", "no")


async def test_a_notice_is_sent_even_if_the_message_cannot_be_read():
    message = Message(1, "a@x", [Recipient("r@y")], 0.0)
    [notice] = await notices(unreadable).make(message, [(message.recipients[0], NO)], [], [])
    assert b"Final-Recipient: rfc822; r@y" in notice.content.data


async def test_the_recipient_of_a_notice_goes_through_the_aliases():
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\n"))
    [notice] = await notices(unreadable).make(message, [(message.recipients[0], NO)], [], [])
    assert notice.recipients[0].address == "alias-of-a@x"


BIG = b"Subject: s\r\n\r\n" + b"0123456789\r\n" * 100


@pytest.mark.parametrize(
    ("limit", "kind", "whole"),
    [(len(BIG), b"message/rfc822", True), (len(BIG) - 1, b"text/rfc822-headers", False)],
)
async def test_of_a_message_larger_than_bounce_size_limit_the_header_comes_back(limit, kind, whole):
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(BIG))
    [notice] = await notices(unreadable, bounce_size_limit=str(limit)).make(
        message, [(message.recipients[0], NO)], [], []
    )
    assert kind in notice.content.data
    assert b"Subject: s\r\n" in notice.content.data
    assert (b"0123456789" in notice.content.data) is whole


async def test_a_header_larger_than_bounce_size_limit_is_cut_at_a_line():
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"X-A: 0123456789\r\n" * 100 + b"\r\nbody\r\n"))
    [notice] = await notices(unreadable, bounce_size_limit="40").make(
        message, [(message.recipients[0], NO)], [], []
    )
    assert notice.content.data.count(b"X-A: 0123456789\r\n") == 2


@pytest.mark.parametrize(
    ("sender", "told"),
    [("double-bounce@mx.x", False), ("Double-Bounce@MX.x", False), ("double-bounce@other.example", True)],
)
async def test_only_our_own_double_bounces_end_here(sender, told):
    message = Message(1, sender, [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\n"))
    assert (
        bool(
            await notices(unreadable, notify_classes="bounce, 2bounce").make(
                message, [(message.recipients[0], NO)], [], []
            )
        )
        is told
    )


async def test_a_copy_for_the_postmaster_comes_from_double_bounce_at_myhostname_and_says_less():
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\nbody\r\n"))
    made = notices(unreadable, notify_classes="bounce", myorigin="origin.x", bounce_notice_recipient="pm@x")
    first, copy = await made.make(message, [(message.recipients[0], NO)], [], [])
    assert (first.sender, copy.sender) == ("", "double-bounce@mx.x")
    assert b"Auto-Submitted: auto-replied\r\n" in first.content.data
    assert b"Auto-Submitted: auto-generated\r\n" in copy.content.data
    assert b"I'm sorry" in first.content.data
    assert b"I'm sorry" not in copy.content.data
    assert b"body" not in copy.content.data


async def test_the_postmaster_gets_a_message_that_cannot_be_returned_whole():
    message = Message(1, "", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\nbody\r\n"))
    [copy] = await notices(unreadable, notify_classes="2bounce").make(
        message, [(message.recipients[0], NO)], [], []
    )
    assert b"Return-Path: <MAILER-DAEMON@mx.x>\r\nSubject: s\r\n\r\nbody\r\n" in copy.content.data
    assert b"X-Postfix-Sender: rfc822; MAILER-DAEMON@mx.x\r\n" in copy.content.data


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("standard", b"From: Mail Delivery System <MAILER-DAEMON@mx.x>\r\n"),
        ("obsolete", b"From: MAILER-DAEMON@mx.x (Mail Delivery System)\r\n"),
    ],
)
async def test_the_from_field_has_the_form_of_header_from_format(form, line):
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\n"))
    [notice] = await notices(unreadable, header_from_format=form).make(
        message, [(message.recipients[0], NO)], [], []
    )
    assert line in notice.content.data


@pytest.mark.parametrize(
    ("level", "charset"),
    [("0", b"charset=us-ascii\r\n"), ("3.6", b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")],
)
async def test_the_text_is_utf8_where_internationalised_mail_is_supported(level, charset):
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\n"))
    [notice] = await notices(unreadable, compatibility_level=level).make(
        message, [(message.recipients[0], NO)], [], []
    )
    assert charset in notice.content.data


@pytest.mark.parametrize(
    ("notify", "wanted"),
    [(0, False), (NEVER, False), (SUCCESS, True), (SUCCESS | FAILURE, True), (DELAY, False)],
)
def test_success_is_told_only_to_who_asked(notify, wanted):
    assert success_wanted(Recipient("r@y", notify=notify), NO) is wanted


def test_the_stamp_of_a_message_id_is_the_time_in_digits():
    assert rfc5322_stamp(0) == "19700101000000"
