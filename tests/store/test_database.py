import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.database import connect, connect_reader, first, rows, transaction


def test_every_connection_syncs_what_it_commits(tmp_path):
    for _ in range(2):
        db = connect(tmp_path / "q.db")
        assert db.pragma("synchronous") == 2
        assert db.pragma("journal_mode") == "wal"
        db.close()


def test_a_reader_sees_what_is_committed_and_changes_nothing(tmp_path):
    db = connect(tmp_path / "q.db")
    db.execute("CREATE TABLE t (a, b)")
    reader = connect_reader(tmp_path / "q.db")
    with db:
        db.execute("INSERT INTO t VALUES (1, 2), (3, 4)")
        assert rows(reader, "SELECT * FROM t") == []
    assert rows(reader, "SELECT a, b FROM t WHERE a > :low", {"low": 0}) == [(1, 2), (3, 4)]
    assert first(reader, "SELECT a FROM t") == [1, 3]
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM t")


def test_a_reader_does_not_make_a_database(tmp_path):
    with pytest.raises(apsw.CantOpenError):
        connect_reader(tmp_path / "none.db")


def test_a_transaction_is_whole_or_undone(tmp_path):
    db = connect(tmp_path / "q.db")
    db.execute("CREATE TABLE t (a UNIQUE)")
    with transaction(db):
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(StoreUnavailable, match="UNIQUE"), transaction(db):
        db.execute("INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)")
    assert first(db, "SELECT a FROM t") == [1]
