import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.memory import MemoryStore


@pytest.fixture
def store(clock):
    return MemoryStore(clock)


async def test_callbacks_come_before_the_verb_returns(store, new):
    calls = []
    store.accept(new(), calls.append)
    assert calls == [None]


async def test_a_full_store_refuses_and_recovers(store, new):
    errors = []
    store.full = True
    store.accept(new(), errors.append)
    store.full = False
    store.accept(new(), errors.append)
    assert [type(error) for error in errors] == [StoreUnavailable, type(None)]
    assert await store.count() == 1


async def test_another_node_takes_a_lease_that_has_run_out(clock, new):
    rows = {}
    one, two = MemoryStore(clock, rows, owner="one", lease=60), MemoryStore(clock, rows, owner="two")
    message = new()
    one.accept(message, lambda error: None)
    assert await two.claim(now=clock.now() + 59, most=1) == []
    (taken,) = await two.claim(now=clock.now() + 61, most=1)
    assert (taken.key, taken.owner) == (message.key, "two")


async def test_changes_to_a_message_in_hand_do_not_reach_the_queue(store, new):
    message = new()
    store.accept(message, lambda error: None)
    message.recipients[0].done = True
    assert not (await store.find())[0].recipients[0].done


async def test_the_content_of_what_left_is_gone(store, new):
    message = new()
    message.content = None
    with pytest.raises(StoreUnavailable):
        store.content(message)
