"""What is done is written while others are tried: at once, or, of very many, once in a while."""

import asyncio

import pytest

from patience import until
from postroad.model.job import Attempt
from postroad.model.message import Message, Recipient
from postroad.scheduler import progress as module
from postroad.scheduler.progress import Progress


class Store:
    def __init__(self):
        self.written = []

    def progress(self, message):
        self.written.append(sum(r.done for r in message.recipients))


def attempt(recipients):
    made = Attempt(Message(1, "s@x", [Recipient(f"r{n}@x") for n in range(recipients)], 0.0), 0.0, 0.0)
    made.pending = 2
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.01)


async def test_of_few_recipients_every_step_is_written():
    store, some = Store(), attempt(3)
    progress = Progress(store)
    progress.note(some)
    some.message.recipients[0].done = True
    progress.note(some)
    assert store.written == [0, 1]


async def test_of_very_many_recipients_all_that_is_done_after_a_while():
    store, many = Store(), attempt(1000)
    progress = Progress(store)
    for recipient in many.message.recipients[:500]:
        recipient.done = True
        progress.note(many)
    assert store.written == []
    await until(lambda: store.written)
    assert store.written == [500]
    progress.note(many)
    await until(lambda: len(store.written) >= 2)
    assert store.written == [500, 500]


async def test_an_attempt_that_has_ended_meanwhile_is_in_its_settlement():
    store, many = Store(), attempt(1000)
    Progress(store).note(many)
    many.pending = 0
    await asyncio.sleep(0.05)
    assert store.written == []


@pytest.mark.parametrize("size", [2, 1000])
@pytest.mark.parametrize("what", ["failed", "succeeded", "new_messages"])
async def test_what_must_be_queued_with_the_settlement_keeps_its_recipients_open(what, size):
    store, some = Store(), attempt(size)
    Progress(store).note(some) if size > 2 else None
    getattr(some, what).append(object())
    Progress(store).note(some)
    await asyncio.sleep(0.05)
    assert store.written == []
