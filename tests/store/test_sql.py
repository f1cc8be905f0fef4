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


VALUES = {"key": 1, "keys": "[1]", "owner": "", "until": 0.0, "now": 0.0, "after": 0, "most": 1}
KEYS = ["done", "drop_bodies", "lease", "find"]


@pytest.fixture
def plan():
    db = apsw.Connection(":memory:")
    migrate(db)

    def of(name):
        text = QUEUE[name]
        values = (1,) * text.count("?") if "?" in text else VALUES
        return [line[3] for line in db.execute("EXPLAIN QUERY PLAN " + text, values)]

    return of


@pytest.mark.parametrize("name", [*KEYS, "retry", "progress", "content"])
def test_what_names_keys_finds_them_by_key(plan, name):
    assert "USING INTEGER PRIMARY KEY" in " ".join(plan(name))
    assert not [step for step in plan(name) if step.startswith(("SCAN message", "SCAN body"))]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("page_all", "SEARCH message USING INTEGER PRIMARY KEY (rowid>?)"),
        ("page_waiting", "SEARCH message USING INTEGER PRIMARY KEY (rowid>?)"),
        ("page_active", "SEARCH message USING INDEX message_leased (key>?)"),
        ("page_held", "SEARCH message USING INDEX message_held (key>?)"),
        ("keys_after", "SEARCH message USING INTEGER PRIMARY KEY (rowid>?)"),
        ("in_files", "SCAN message USING COVERING INDEX message_file"),
        ("return_leases", "SCAN message USING INDEX message_leased"),
        ("buried", "SCAN message USING INDEX message_deleted"),
        ("newest", "SEARCH message"),
    ],
)
def test_starts_and_lists_look_at_no_more_than_they_want(plan, name, step):
    """Walked by key, or by an index that has only those rows; nothing is sorted."""
    assert plan(name) == [step]


def test_taking_over_walks_by_key(plan):
    assert plan("rows_after")[0] == "SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"
    assert not [step for step in plan("rows_after") if "SCAN" in step or "TEMP" in step]


def test_messages_of_the_first_schema_are_kept_and_know_where_their_contents_are():
    db = apsw.Connection(":memory:")
    migrate(db, migrations()[:1])
    add = "INSERT INTO message (key, due, owner, held, expired, deleted, envelope) VALUES (?, ?, ?, ?, ?, ?, x'00')"
    rows = [
        (1, 5.0, "dead", 0, 0, 0),
        (2, 4.0, "", 1, 0, 0),
        (3, 6.0, "", 0, 1, 0),
        (4, 6.0, "dead", 0, 0, 1),
    ]
    db.executemany(add, rows)
    db.execute("INSERT INTO body VALUES (1, x''), (3, x'00ff')")
    migrate(db)
    columns = "key, due, owner, held, expired, deleted"
    assert db.execute(f"SELECT {columns} FROM message ORDER BY key").fetchall() == rows
    assert [row[0] for row in db.execute(QUEUE["in_files"])] == [2, 4]
    assert db.execute("SELECT key, content, checksum FROM body").fetchall() == [
        (1, b"", None),
        (3, b"\x00\xff", None),
    ]
    assert db.execute(QUEUE["settled"]).fetchall() == []
