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
    return Notices(settings, content=content, new_key=lambda: next(keys), expand=expand, log=Log(ListSink()), clock=TestClock())


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


async def test_no_more_than_bounce_size_limit_comes_back_and_it_ends_at_a_line():
    message = Message(1, "a@x", [Recipient("r@y")], 0.0, Text(b"Subject: s\r\n\r\n" + b"0123456789\r\n" * 5000))
    [notice] = await notices(unreadable, bounce_size_limit="1000").make(message, [(message.recipients[0], NO)], [], [])
    assert 1000 < len(notice.content.data) < 4000
    assert b"0123456789\r\n\r\n--" in notice.content.data


@pytest.mark.parametrize(("notify", "wanted"), [(0, False), (NEVER, False), (SUCCESS, True), (SUCCESS | FAILURE, True), (DELAY, False)])
def test_success_is_told_only_to_who_asked(notify, wanted):
    assert success_wanted(Recipient("r@y", notify=notify), NO) is wanted


def test_the_stamp_of_a_message_id_is_the_time_in_digits():
    assert rfc5322_stamp(0) == "19700101000000"
