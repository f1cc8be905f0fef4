from math import inf

from postroad.store.batch import DONE, NEW, PROGRESS, RETRY
from postroad.store.ledger import Ledger


def new(key, *, due=9.0, leased=True, held=0, size=10):
    return (NEW, key, due, leased, held, b"envelope", size, 0)


def test_contents_have_their_places_one_behind_the_other():
    ledger = Ledger()
    ledger.apply([new(1, size=10), new(2, size=-1), (DONE, 99), new(3, size=0), new(4, size=5)], 1, 100)
    assert {key: (m.file, m.at, m.size) for key, m in ledger.messages.items()} == {
        1: (1, 100, 10),
        2: (1, 110, -1),
        3: (1, 110, 0),
        4: (1, 110, 5),
    }
    assert ledger.keys_in(1) == [1, 2, 3, 4]
    assert ledger.keys_in(0) == []


def test_a_message_lives_from_its_entry_to_its_end():
    ledger = Ledger()
    ledger.apply([new(1)], 0, 0)
    ledger.apply([(PROGRESS, 1, b"progress")], 0, 50)
    assert (ledger.messages[1].envelope, ledger.messages[1].leased) == (b"progress", True)
    assert ledger.idle == set()
    ledger.apply([(RETRY, 1, 4.0, b"later")], 1, 0)
    assert (ledger.messages[1].envelope, ledger.messages[1].due, ledger.messages[1].leased) == (
        b"later",
        4.0,
        False,
    )
    assert ledger.messages[1].file == 0, "its content is where it was"
    assert (ledger.idle, ledger.earliest) == ({1}, 4.0)
    ledger.apply([(DONE, 1)], 1, 50)
    assert (ledger.messages, ledger.idle) == ({}, set())


def test_what_is_said_of_messages_that_are_not_here_is_past():
    ledger = Ledger()
    ledger.apply([(DONE, 1), (RETRY, 2, 4.0, b"x"), (PROGRESS, 3, b"y")], 0, 0)
    assert (ledger.messages, ledger.idle, ledger.earliest) == ({}, set(), inf)


def test_what_is_held_is_idle_and_never_due():
    ledger = Ledger()
    ledger.apply([new(1, due=1.0, leased=False, held=1), new(2, due=5.0, leased=False)], 0, 0)
    assert (ledger.idle, ledger.earliest) == ({1, 2}, 5.0)


def test_nothing_is_due_where_nothing_is_idle():
    ledger = Ledger()
    ledger.apply([new(1), new(2), new(3, due=5.0, leased=False)], 0, 0)
    ledger.forget([3, 1])
    assert list(ledger.messages) == [2]
    assert (ledger.idle, ledger.earliest) == (set(), inf)
