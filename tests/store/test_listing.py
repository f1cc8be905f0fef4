import apsw
import pytest

from postroad.store.envelope import pack
from postroad.store.ledger import Pending
from postroad.store.listing import KINDS, find, page
from postroad.store.sql import QUEUE, migrate


@pytest.fixture
def db():
    made = apsw.Connection(":memory:")
    migrate(made)
    return made


@pytest.fixture
def letters(new):
    """Ten messages: the even ones are in the database, the odd ones in the journal; 0, 1 active, 2, 3 held."""
    return [new() for _ in range(10)]


@pytest.fixture
def pending(db, letters):
    journal = {}
    for number, message in enumerate(letters):
        leased, held = number < 2, number in (2, 3)
        if number % 2:
            entry = (0, message.key, 5.0, leased, int(held), pack(message), 3, 0)
            journal[message.key] = Pending(entry, 0, 0)
        else:
            db.execute(QUEUE["accept"], (message.key, 5.0, "me" if leased else "", held, pack(message), 0))
    return journal


def numbers(found, letters):
    return [[m.key for m in letters].index(message.key) for message in found]


@pytest.mark.parametrize(
    ("which", "expected"),
    [("active", [0, 1]), ("held", [2, 3]), ("waiting", list(range(4, 10))), ("all", list(range(10)))],
)
@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_pages_join_the_journal_and_the_database_in_order(db, pending, letters, which, expected, most):
    found, after = [], -1
    while part := page(db, pending, which, after, most):
        assert len(part) <= most
        found += part
        after = part[-1].key
    assert numbers(found, letters) == expected
    assert {message.due for message in found} == {5.0}


def test_the_states_are_what_they_are(db, pending, letters):
    states = [(bool(m.owner), m.held) for m in page(db, pending, "all", -1, 99)]
    assert states == [(True, False)] * 2 + [(False, True)] * 2 + [(False, False)] * 6


def test_there_are_no_other_kinds(db, pending):
    assert set(KINDS) == {"active", "waiting", "held", "all"}
    with pytest.raises(ValueError, match="incoming"):
        page(db, pending, "incoming", 0, 9)


def test_a_message_that_is_in_both_is_one_and_the_database_is_right(db, pending, letters):
    message = letters[0]
    message.attempts = 7
    pending[message.key] = Pending((0, message.key, 1.0, False, 1, pack(message), 3, 0), 0, 0)
    assert numbers(page(db, pending, "active", -1, 9), letters) == [0, 1]
    assert numbers(page(db, pending, "all", -1, 99), letters) == list(range(10))
    (found,) = find(db, pending, [message.key])
    assert (found.attempts, found.held, found.due) == (0, False, 5.0)


def test_a_page_of_damaged_messages_is_not_taken_for_the_end(db, pending, letters):
    for number in range(1, 7, 2):
        pending[letters[number].key].envelope = b"damaged"
    db.execute("UPDATE message SET envelope = x'00' WHERE key <= ?", (letters[6].key,))
    assert numbers(page(db, pending, "all", -1, 2), letters) == [7]
    assert page(db, pending, "active", -1, 2) == []


def test_deleted_messages_are_left_out(db, pending, letters):
    db.execute("UPDATE message SET deleted = 1 WHERE key = ?", (letters[0].key,))
    assert numbers(page(db, pending, "all", -1, 3), letters) == [1, 2, 3]
    assert find(db, pending, [letters[0].key]) == []


def test_find_gives_what_is_there_in_order_of_arrival(db, pending, letters):
    wanted = [letters[8].key, 12345, letters[3].key, letters[3].key]
    assert numbers(find(db, pending, wanted), letters) == [3, 8]
    pending[letters[3].key].envelope = b"damaged"
    assert numbers(find(db, pending, wanted), letters) == [8]
    assert find(db, pending, []) == []
