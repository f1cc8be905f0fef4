import asyncio
import threading

import pytest

from patience import LIMIT, until
from postroad.base.errors import StoreUnavailable
from postroad.store import writer as module
from postroad.store.change import Change
from postroad.store.writer import Writer


class Scribe:
    """Writes changes to a list; refuses those whose ``done`` is in ``bad``."""

    def __init__(self):
        self.batches = []
        self.bad = set()
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def write(self, changes):
        self.begun.set()
        self.gate.wait(LIMIT)
        if any(change.done in self.bad for change in changes):
            raise OSError(28, "No space left on device")
        self.batches.append([change.done for change in changes])


@pytest.fixture
def scribe():
    return Scribe()


@pytest.fixture
async def writer(scribe):
    troubles, refused = [], []
    made = Writer(scribe.write, asyncio.get_running_loop(), troubles.append, refused.append, pause=0.01)
    made.troubles, made.refused = troubles, refused
    yield made
    scribe.gate.set()
    scribe.bad.clear()
    await made.close()


def change(number, answers, *, lasting=False):
    made = Change(lambda error: answers.append((number, error and type(error).__name__)))
    made.done, made.lasting = number, lasting
    if not lasting:
        made.row = (number, 0.0, "", 0, b"")
    return made


async def settled(answers, count):
    await until(lambda: len(answers) >= count, explain=lambda: answers)
    return sorted(answers)


async def test_what_is_added_in_one_turn_of_the_loop_is_one_batch(writer, scribe):
    answers = []
    for number in range(1, 6):
        writer.add(change(number, answers))
    assert await settled(answers, 5) == [(number, None) for number in range(1, 6)]
    assert scribe.batches == [[1, 2, 3, 4, 5]]


async def test_what_comes_while_a_batch_is_written_is_the_next_batch(writer, scribe):
    answers = []
    scribe.gate.clear()
    writer.add(change(1, answers))
    await until(scribe.begun.is_set)
    for number in (2, 3, 4):
        writer.add(change(number, answers))
        await asyncio.sleep(0.002)
    scribe.gate.set()
    await settled(answers, 4)
    assert scribe.batches == [[1], [2, 3, 4]]


async def test_what_the_answers_to_a_batch_bring_about_is_one_batch(writer, scribe):
    loop, answers = asyncio.get_running_loop(), []
    first = change(1, answers)
    first.then = lambda _error: loop.call_soon(writer.add, change(3, answers))
    second = change(2, answers)
    second.then = lambda _error: writer.add(change(4, answers))
    writer.add(first)
    writer.add(second)
    await settled(answers, 2)
    assert scribe.batches == [[1, 2], [4, 3]]


async def test_calls_between_batches_make_them_no_smaller(writer, scribe):
    answers = []
    writer.add(change(1, answers))
    await asyncio.gather(*(writer.call(list) for _ in range(3)))
    await settled(answers, 1)
    for number in range(2, 5):
        writer.add(change(number, answers))
    await settled(answers, 4)
    assert scribe.batches == [[1], [2, 3, 4]]


async def test_callbacks_come_in_the_loops_thread(writer):
    threads = []
    made = Change(lambda error: threads.append(threading.current_thread()))
    writer.add(made)
    await settled(threads, 1)
    assert threads == [threading.main_thread()]


async def test_one_bad_change_fails_alone(writer, scribe):
    answers = []
    scribe.bad = {3}
    for number in range(1, 6):
        writer.add(change(number, answers))
    assert await settled(answers, 5) == [(1, None), (2, None), (3, "StoreUnavailable"), (4, None), (5, None)]
    assert [refused.done for refused in writer.refused] == [3]


async def test_settlements_are_written_first_when_a_batch_fails(writer, scribe):
    answers = []
    scribe.bad = {2}
    for number in (1, 2, 3):
        writer.add(change(number, answers, lasting=number == 3))
    await settled(answers, 3)
    assert scribe.batches[0] == [3]


async def test_a_lasting_change_waits_until_it_can_be_written(writer, scribe):
    answers = []
    scribe.bad = {1, 2}
    writer.add(change(1, answers, lasting=True))
    writer.add(change(2, answers))
    assert await settled(answers, 1) == [(2, "StoreUnavailable")]
    scribe.bad = set()
    assert await settled(answers, 2) == [(1, None), (2, "StoreUnavailable")]
    assert [bool(text) for text in writer.troubles] == [True, False]


async def test_trouble_is_told_once_not_with_each_failure(writer, scribe):
    answers = []
    scribe.bad = {1}
    for _ in range(5):
        writer.add(change(1, answers))
        await settled(answers, len(answers) + 1)
    assert len(writer.troubles) == 1


async def test_a_hopeless_batch_is_given_up_after_a_few_tries(writer, scribe, monkeypatch):
    answers, tries = [], []

    def broken(changes):
        tries.append(len(changes))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write", broken)
    for number in range(1, 501):
        writer.add(change(number, answers))
    assert {text for _number, text in await settled(answers, 500)} == {"StoreUnavailable"}
    assert len(tries) < 10


async def test_calls_run_between_transactions_and_give_their_result(writer):
    assert await writer.call(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await writer.call(lambda: 1 // 0)
    with pytest.raises(StoreUnavailable, match="gone"):
        await writer.call(lambda: (_ for _ in ()).throw(OSError(5, "gone")))


async def test_a_call_whose_caller_has_gone_harms_nobody(writer, scribe):
    scribe.gate.clear()
    writer.add(change(1, []))
    waiting = asyncio.ensure_future(asyncio.wait_for(writer.call(lambda: 1), 0.01))
    with pytest.raises(TimeoutError):
        await waiting
    scribe.gate.set()
    assert await writer.call(lambda: 2) == 2


async def test_closing_writes_what_waits(writer, scribe):
    answers = []
    for number in range(1, 4):
        writer.add(change(number, answers))
    await writer.close()
    assert len(answers) == 3
    with pytest.raises(StoreUnavailable):
        await writer.call(lambda: 1)


async def test_closing_tells_what_could_not_be_written(writer, scribe):
    answers = []
    scribe.bad = {1}
    writer.add(change(1, answers, lasting=True))
    await asyncio.sleep(0.02)
    await writer.close()
    assert answers == [(1, "StoreUnavailable")]


async def test_a_writer_of_a_loop_that_has_ended_ends_quietly(scribe):
    loop = asyncio.new_event_loop()
    lone = Writer(scribe.write, loop, lambda text: None)
    loop.close()
    lone._changes.append(change(1, []))
    lone._closing = True
    lone._wake.release()
    await asyncio.to_thread(lone._thread.join, 30)
    assert scribe.batches == [[1]]


async def test_what_nobody_waits_for_joins_the_batch_of_the_next_message(writer, scribe, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 60.0)
    answers = []
    writer.add(change(1, answers, lasting=True))
    writer.add(change(2, answers, lasting=True))
    await asyncio.sleep(0.02)
    assert scribe.batches == []
    writer.add(change(3, answers))
    await settled(answers, 3)
    assert scribe.batches == [[1, 2, 3]]
    writer.add(change(4, answers, lasting=True))
    await writer.call(list)
    assert scribe.batches == [[1, 2, 3], [4]]


async def test_what_nobody_waits_for_is_written_after_a_moment(writer, scribe):
    answers = []
    writer.add(change(1, answers, lasting=True))
    await settled(answers, 1)
    assert scribe.batches == [[1]]


async def test_closing_writes_what_lingers(writer, scribe, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 60.0)
    answers = []
    writer.add(change(1, answers, lasting=True))
    await writer.close()
    await settled(answers, 1)
    assert scribe.batches == [[1]]


async def test_a_batch_that_is_to_wait_takes_in_what_comes_meanwhile(writer, scribe):
    answers = []
    writer._pace.waits = True
    writer._pace._begun = asyncio.get_running_loop().time()
    writer.add(change(1, answers))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # a turn of the loop later
    writer.add(change(2, answers))
    await settled(answers, 2)
    assert scribe.batches == [[1, 2]]
