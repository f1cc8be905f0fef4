import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.sql import QUEUE, Statements, migrate, migrations


@pytest.fixture
def statements(tmp_path):
    path = tmp_path / "some.sql"
    path.write_text("-- about\n\n-- name: one\nSELECT 1\n\n-- name: add\nINSERT INTO t (a)\nVALUES (?, ?)\n")
    return Statements(path)


def test_statements_are_found_by_name(statements):
    assert statements["one"] == "SELECT 1"
    with pytest.raises(KeyError):
        statements["two"]


@pytest.mark.parametrize("count", [1, 2, 64])
def test_an_insert_grows_to_as_many_rows_as_asked(statements, count):
    text = statements.rows("add", count)
    assert text.count("(?, ?)") == count
    assert statements.rows("add", count) is text


def test_only_an_insert_of_values_can_grow(statements):
    with pytest.raises(ValueError, match="does not end in VALUES"):
        statements.rows("one", 2)


def test_migrations_are_numbered_from_one_without_gaps():
    assert [number for number, _text in migrations()] == list(range(1, len(migrations()) + 1))


def test_an_empty_database_gets_the_newest_schema_and_every_statement_fits_it():
    db = apsw.Connection(":memory:")
    assert migrate(db) == migrations()[-1][0] == db.pragma("user_version")
    names = ("keys", "now", "most", "owner", "until", "key", "reason", "after")
    for text in QUEUE._texts.values():
        db.execute("EXPLAIN " + text, (None,) * text.count("?") if "?" in text else dict.fromkeys(names))


def test_a_database_of_an_older_version_gets_the_steps_it_lacks():
    db = apsw.Connection(":memory:")
    steps = [
        (1, "CREATE TABLE a (x); INSERT INTO a VALUES (7)"),
        (2, "ALTER TABLE a ADD y; UPDATE a SET y = x + 1"),
    ]
    assert migrate(db, steps[:1]) == 1
    assert migrate(db, steps) == 2
    assert migrate(db, steps) == 2
    assert db.execute("SELECT x, y FROM a").fetchall() == [(7, 8)]


def test_a_step_that_fails_changes_nothing():
    db = apsw.Connection(":memory:")
    with pytest.raises(apsw.Error):
        migrate(db, [(1, "CREATE TABLE a (x)"), (2, "CREATE TABLE b (x); SELECT nonsense")])
    assert db.pragma("user_version") == 1
    assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]


def test_a_database_of_a_newer_version_is_refused():
    db = apsw.Connection(":memory:")
    db.pragma("user_version", 999)
    with pytest.raises(StoreUnavailable, match="newer version"):
        migrate(db)


def test_finding_what_is_due_does_not_grow_with_the_queue():
    db = apsw.Connection(":memory:")
    migrate(db)
    plan = db.execute("EXPLAIN QUERY PLAN " + QUEUE["due"], {"now": 0.0, "most": 1}).fetchall()
    assert [line[3] for line in plan] == ["SEARCH message USING INDEX message_due (due<?)"]


@pytest.mark.parametrize("name", ["done", "drop_bodies", "lease", "find"])
def test_what_names_keys_finds_them_by_key(name):
    db = apsw.Connection(":memory:")
    migrate(db)
    values = {"keys": "[1]", "owner": "", "until": 0.0}
    plan = " ".join(line[3] for line in db.execute("EXPLAIN QUERY PLAN " + QUEUE[name], values))
    assert "USING INTEGER PRIMARY KEY" in plan
