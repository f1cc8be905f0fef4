import os

import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.backlog import ROWS, Backlog
from postroad.store.body import Bodies
from postroad.store.change import Change
from postroad.store.database import connect
from postroad.store.envelope import pack
from postroad.store.sql import migrate


def has(backlog, key):
    return key in backlog.keys(key - 1, 1)


@pytest.fixture
def backlog(tmp_path):
    db = connect(tmp_path / "queue.db")
    migrate(db)
    yield Backlog(db, Bodies(tmp_path / "bodies"))
    db.close()


def put(backlog, messages, *, owner="", held=0, due=5.0):
    """Take messages as they come from the journal."""
    backlog.insert(
        [
            (
                [(m.key, due, owner, held, pack(m), False) for m in messages],
                [(m.key, m.content.data, 0) for m in messages],
            )
        ],
        {},
    )


def due(backlog):
    return [m.key for m in backlog.claim(9.0, 99.0, "claimer", 999)]


def change(key, **values):
    made = Change(print, key)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def notice_of(message, body=b"notice"):
    made = change(message.key, row=(message.key, 9.0, "me", 0, pack(message)))
    if body is not None:
        made.carry(body)
    return made


def bodies_in(backlog):
    return [row[0] for row in backlog.db.execute("SELECT key FROM body ORDER BY key")]


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1])
def test_what_comes_from_the_journal_is_taken_with_the_word_what_is_past(backlog, new, count):
    messages = [new() for _ in range(count)]
    backlog.insert(
        [
            (
                [(m.key, 5.0, "", 0, pack(m), False) for m in messages],
                [(m.key, b"content", 0) for m in messages],
            )
        ],
        {0: 7},
    )
    assert backlog.settled() == {0: 7}
    assert due(backlog) == [m.key for m in messages]
    backlog.insert([([], [])], {0: 9, 1: 8})
    assert backlog.settled() == {0: 9, 1: 8}


def test_what_is_here_already_stays_as_it_is(backlog, new):
    """A crash came between the two; what is here may have been changed since."""
    message = new()
    put(backlog, [message])
    backlog.hold([message.key])
    put(backlog, [message], due=1.0)
    assert due(backlog) == []
    assert backlog.release(None) == [message.key]


def test_what_cannot_be_taken_changes_nothing(backlog, new):
    backlog.db.execute("CREATE TRIGGER no BEFORE INSERT ON body BEGIN SELECT RAISE(ABORT, 'no'); END")
    message = new()
    with pytest.raises(StoreUnavailable, match="no"):
        backlog.insert([([(message.key, 5.0, "", 0, b"e", False)], [(message.key, b"x", 0)])], {0: 1})
    assert (backlog.settled(), has(backlog, message.key), backlog.newest()) == ({}, False, 0)


def test_what_attempts_changed_is_one_transaction(backlog, new):
    done, later, going, notice = [new() for _ in range(4)]
    put(backlog, [done, later, going], owner="me")
    later.attempts = going.attempts = 3
    changes = [
        change(done.key, done=done.key, notices=[notice_of(notice)]),
        change(later.key, retry=(6.0, pack(later), later.key)),
        change(going.key, progress=(pack(going), going.key)),
    ]
    backlog.db.execute("CREATE TRIGGER no BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(apsw.Error, match="no"):
        backlog.write(changes)
    assert [has(backlog, m.key) for m in (done, notice)] == [True, False]
    backlog.db.execute("DROP TRIGGER no")
    for _ in range(2):  # what was written may be written again
        backlog.write(changes)
        assert [has(backlog, m.key) for m in (done, later, going, notice)] == [False, True, True, True]
        assert bodies_in(backlog) == [later.key, going.key, notice.key]
    (claimed,) = backlog.claim(9.0, 99.0, "claimer", 999)
    assert (claimed.key, claimed.attempts, claimed.owner, claimed.due) == (later.key, 3, "claimer", 99.0)


def test_progress_of_what_was_put_off_is_past(backlog, new):
    message = new()
    put(backlog, [message])
    message.attempts = 3
    backlog.write([change(message.key, progress=(pack(message), message.key))])
    assert backlog.claim(9.0, 99.0, "me", 9)[0].attempts == 0


def test_the_file_of_what_leaves_goes_after_the_commit(backlog, new):
    message = new()
    backlog.insert([([(message.key, 5.0, "me", 0, pack(message), True)], [])], {})
    backlog._bodies.spool(message.key).finish()
    assert backlog.in_files() == [message.key]
    backlog.db.pragma("query_only", value=True)
    with pytest.raises(apsw.Error):
        backlog.write([change(message.key, done=message.key)])
    assert os.listdir(backlog._bodies.directory) == [message.id]
    backlog.db.pragma("query_only", value=False)
    backlog.write([change(message.key, done=message.key)])
    assert os.listdir(backlog._bodies.directory) == []
    assert (backlog.in_files(), backlog.is_empty()) == ([], True)


def test_leases_return_and_what_was_deleted_meanwhile_goes(backlog, new):
    stays, goes, waits = [new() for _ in range(3)]
    put(backlog, [stays, goes], owner="dead")
    put(backlog, [waits], due=8.0)
    assert backlog.delete([goes.key]) == [goes.key]
    assert backlog.return_leases(7.0) == 2
    assert [(m.key, m.due) for m in backlog.claim(9.0, 99.0, "", 9)] == [(stays.key, 99.0), (waits.key, 99.0)]
    assert bodies_in(backlog) == [stays.key, waits.key]


def test_claims_are_earliest_first_and_bounded(backlog, new):
    early, late = new(), new()
    put(backlog, [late], due=4.0)
    put(backlog, [early], due=3.0)
    assert [m.key for m in backlog.claim(2.0, 99.0, "me", 9)] == []
    assert [m.key for m in backlog.claim(9.0, 99.0, "me", 1)] == [early.key]
    assert [m.key for m in backlog.claim(9.0, 99.0, "me", 1)] == [late.key]
    assert backlog.newest() == late.key


def test_what_cannot_be_read_is_moved_aside_with_its_file(backlog, new):
    message = new()
    backlog.insert([([(message.key, 5.0, "", 0, b"damaged", True)], [])], {})
    backlog._bodies.spool(message.key).finish()
    assert due(backlog) == []
    assert [key for key, _reason in backlog.damaged] == [message.id]
    assert os.listdir(backlog._bodies.directory) == [message.id + ".corrupt"]
    assert not backlog.is_empty()


def test_operators_change_what_they_name(backlog, new):
    one, two, leased = [new() for _ in range(3)]
    put(backlog, [one, two])
    put(backlog, [leased], owner="me")
    assert backlog.keys(-1, 2) == [one.key, two.key]
    assert backlog.keys(two.key, 2) == [leased.key]
    assert backlog.expire([two.key]) == [two.key]
    assert backlog.flush(None, now=1.0) == [one.key, two.key]
    assert backlog.hold([one.key, leased.key]) == [one.key, leased.key]
    assert backlog.requeue([leased.key], now=2.0) == [leased.key]
    assert backlog.delete([one.key]) == [one.key]
    backlog.write([change(leased.key, retry=(50.0, pack(leased), leased.key))])
    assert due(backlog) == [two.key, leased.key]


def test_what_was_deleted_during_its_attempt_leaves_at_its_end(backlog, new):
    message = new()
    put(backlog, [message], owner="me")
    assert backlog.delete(None) == [message.key]
    backlog.write([change(message.key, retry=(1.0, pack(message), message.key))])
    assert (has(backlog, message.key), bodies_in(backlog)) == (False, [])


def test_what_went_elsewhere_is_removed(backlog, new):
    messages = [new(), new()]
    put(backlog, messages)
    backlog.remove([messages[0].key])
    assert due(backlog) == bodies_in(backlog) == [messages[1].key]
