from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from patience import until
from postroad.base.errors import TableUnavailable
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.hooks import PENDING, Hooks, Notice
from postroad.proto.machine import State
from postroad.smtpd.hooks import SessionHooks

from .conftest import Stand


class Connection:
    def __init__(self):
        self.answers = []
        inbox = SimpleNamespace(limit=2048)
        self.machine = SimpleNamespace(where="RCPT", closed=False, state=State.RCPT, inbox=inbox)

    def answer(self, reply):
        self.answers.append(reply)


@pytest.fixture
async def hooked():
    stand = Stand(asyncio.get_running_loop())
    connection = Connection()
    session = Session(Client("192.0.2.1"))
    session.transaction.sender = "a@example.net"
    hooks = SessionHooks(stand.make(), session, connection)
    return SimpleNamespace(stand=stand, connection=connection, session=session, hooks=hooks)


async def test_all_questions_of_the_machine_are_answered():
    assert {name for name in vars(Hooks) if not name.startswith("_")} <= set(dir(SessionHooks))


async def test_an_answer_that_is_there_is_given_at_once(hooked):
    assert hooked.hooks.recipient("b@example.test") is None
    hooked.stand.policy.replies["recipient"] = refusal = Reply(550, "5.1.1", "no")
    assert hooked.hooks.recipient("b@example.test") is refusal
    assert hooked.connection.answers == []


async def test_an_address_that_leads_nowhere_is_not_logged_as_a_refusal(hooked):
    hooked.stand.policy.replies["routing"] = refusal = Reply(501, "5.1.3", "no")
    assert hooked.hooks.routing("!u@here.test") is refusal
    assert not [line for line in hooked.stand.sink.lines if "reject" in line]
    hooked.stand.policy.error = TableUnavailable("broken")
    assert hooked.hooks.routing("!u@here.test").code == 451


async def test_a_policy_may_answer_without_a_coroutine(hooked):
    policy, refusal = hooked.stand.policy, Reply(550, "5.1.1", "no")
    policy.recipient = lambda _session, _address: refusal
    assert hooked.hooks.recipient("b@example.test") is refusal
    assert "550 5.1.1 no" in hooked.stand.sink.lines[-1]

    def fail(_session, _address):
        raise TableUnavailable("broken")

    policy.recipient = fail
    assert hooked.hooks.recipient("b@example.test").line() == "451 4.3.0 Temporary lookup failure"
    policy.recipient = lambda _session, _address: None
    assert hooked.hooks.recipient("b@example.test") is None
    assert hooked.connection.answers == []


async def test_a_policy_is_asked_only_at_the_stages_that_it_names():
    stand, session = Stand(asyncio.get_running_loop()), Session(Client("192.0.2.1"))
    stand.policy.stages = frozenset({"recipient"})
    hooks = SessionHooks(stand.make(), session, Connection())
    answers = [hooks.connect(), hooks.helo(), hooks.mail(), hooks.recipient("b@example.test")]
    hooks.open()
    assert [*answers, hooks.data()] == [None] * 5
    assert hooks.message(0).code == 250
    assert stand.policy.asked == [("recipient", "b@example.test")]


async def test_without_a_policy_for_mail_there_must_be_room_for_it_all_the_same():
    stand, session = Stand(asyncio.get_running_loop()), Session(Client("192.0.2.1"))
    stand.policy.stages = frozenset()
    hooks = SessionHooks(stand.make(has_space=lambda size: False), session, Connection())
    assert hooks.mail().line() == "452 4.3.1 Insufficient system storage"


async def test_an_answer_that_comes_later_goes_to_the_connection(hooked):
    hooked.stand.policy.gate = asyncio.get_running_loop().create_future()
    assert hooked.hooks.recipient("b@example.test") is PENDING
    hooked.stand.policy.gate.set_result(None)
    await until(lambda: hooked.connection.answers)
    assert hooked.connection.answers == [None]


async def test_the_message_is_committed_only_when_the_policy_agrees(hooked):
    hooked.hooks.open()
    hooked.hooks.content(b"x\r\n")
    assert hooked.hooks.message(3).text.startswith("Ok: queued")
    assert hooked.stand.intake.committed[0].text == b"x\r\n"


async def test_a_message_whose_client_left_before_the_verdict_is_not_queued(hooked):
    hooked.hooks.open()
    hooked.stand.policy.gate = asyncio.get_running_loop().create_future()
    assert hooked.hooks.message(0) is PENDING
    hooked.connection.machine.closed = True
    hooked.stand.policy.gate.set_result(None)
    await until(lambda: hooked.stand.intake.receivers[0].aborted)
    assert hooked.stand.intake.committed == []


async def test_a_verdict_that_cannot_be_had_queues_nothing(hooked):
    hooked.hooks.open()
    hooked.stand.policy.error = RuntimeError("broken")
    assert hooked.hooks.message(0).code == 451
    assert hooked.stand.intake.committed == []
    assert hooked.stand.intake.receivers[0].aborted


async def test_without_a_receiver_nothing_is_accepted(hooked):
    assert hooked.hooks.message(0).code == 451


async def test_refusals_name_a_single_recipient_only(hooked):
    refusal = Reply(554, "5.7.1", "no")
    hooked.connection.machine.where = "DATA"
    hooked.stand.policy.replies["data"] = refusal
    hooked.session.transaction.recipients = [SimpleNamespace(address="b@example.test")]
    hooked.hooks.data()
    assert "to=<b@example.test>" in hooked.stand.log[-1]
    hooked.session.transaction.recipients *= 2
    hooked.hooks.data()
    assert " to=<" not in hooked.stand.log[-1]


async def test_refusals_have_the_queue_id_once_there_is_one(hooked):
    hooked.stand.policy.replies["recipient"] = Reply(450, "4.1.1", "no")
    hooked.hooks.recipient("b@example.test")
    assert "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.1.1 no;" in hooked.stand.log[-1]
    hooked.hooks.open()
    hooked.hooks.recipient("b@example.test")
    assert "0000000000000AB: reject: RCPT" in hooked.stand.log[-1]


@pytest.mark.parametrize("notice", list(Notice))
async def test_every_notice_is_taken(hooked, notice):
    hooked.hooks.notice(notice, "detail")
    assert hooked.hooks.reason == ("too many errors" if notice is Notice.TOO_MANY_ERRORS else "")
