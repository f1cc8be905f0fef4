"""A small database beside the queue: off the loop, many workers, whatever the file does."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from patience import LIMIT
from postroad.base.errors import StoreUnavailable
from postroad.store.sidefile import SideFile, read

SCHEMA = "CREATE TABLE IF NOT EXISTS t (n INTEGER)"


@pytest.fixture
def open_file(tmp_path):
    opened = []

    def make(path=tmp_path / "side.db"):
        opened.append(SideFile(path, SCHEMA))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def add(number):
    return lambda db: db.execute("INSERT INTO t VALUES (?)", (number,))


def total(db):
    return db.execute("SELECT count(*) FROM t").get


async def test_work_runs_in_a_thread_and_its_result_comes_back(open_file):
    file = open_file()
    name = await file.do(lambda _db: threading.current_thread().name)
    assert name == "side"
    await file.do(add(1))
    assert await file.do(total) == 1


async def test_what_has_gathered_is_one_transaction(open_file):
    file, gate = open_file(), threading.Event()
    first = asyncio.ensure_future(file.do(lambda _db: gate.wait(LIMIT)))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(file.do(lambda db: (add(1)(db), total(db))[1])) for _ in range(50)]
    other = open_file()
    await asyncio.sleep(0)
    gate.set()
    await first
    assert await asyncio.gather(*rest) == list(range(1, 51))
    assert await other.do(total) == 50


async def test_two_workers_share_the_file(open_file):
    files = [open_file(), open_file()]

    async def one(file):
        for _ in range(20):
            await file.do(add(1))

    await asyncio.gather(*(one(file) for file in files))
    assert await files[0].do(total) == 40


async def test_work_that_fails_changes_nothing_and_the_next_works(open_file):
    file = open_file()

    def bad(db):
        add(1)(db)
        raise KeyError("x")

    with pytest.raises(StoreUnavailable, match="side.db: 'x'"):
        await file.do(bad)
    assert await file.do(total) == 0


async def test_a_file_that_is_no_database_is_unavailable_until_it_is_gone(open_file, tmp_path):
    path = tmp_path / "side.db"
    path.write_bytes(b"x" * 4096)
    file = open_file()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="not a database"):
            await file.do(total)
    path.unlink()
    assert await file.do(total) == 0


async def test_a_directory_that_is_not_there_is_unavailable(open_file, tmp_path):
    with pytest.raises(StoreUnavailable, match="No such file"):
        await open_file(tmp_path / "none" / "side.db").do(total)


async def test_a_file_that_another_keeps_is_unavailable_after_a_while(open_file, monkeypatch, tmp_path):
    monkeypatch.setattr("postroad.store.sidefile._PATIENCE", 20)
    file = open_file()
    await file.do(total)
    other = apsw.Connection(str(tmp_path / "side.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await file.do(total)
    other.execute("ROLLBACK")
    other.close()
    assert await file.do(total) == 0


async def test_the_file_is_its_owner_s_alone(open_file, tmp_path):
    await open_file().do(total)
    assert (tmp_path / "side.db").stat().st_mode & 0o777 == 0o600


async def test_who_does_not_wait_any_more_is_passed_over(open_file):
    file, gate = open_file(), threading.Event()
    task = asyncio.ensure_future(file.do(lambda _db: gate.wait(LIMIT)))
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    assert await file.do(total) == 0


async def test_a_closed_file_opens_again(open_file):
    file = open_file()
    await file.do(add(1))
    file.close()
    assert await file.do(total) == 1


async def test_a_reader_changes_nothing_while_others_write_and_when_they_have_gone(open_file, tmp_path):
    path = tmp_path / "side.db"

    def count(db):
        return db.execute("SELECT count(*) FROM t").get

    assert read(path, count) is None
    file = open_file()
    await file.do(add(1))
    assert read(path, count) == 1
    with pytest.raises(StoreUnavailable):
        read(path, add(2))
    file.close()
    before = sorted(tmp_path.iterdir())
    assert read(path, count) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_none_cannot_be_read(tmp_path):
    (tmp_path / "junk").write_bytes(b"no database" * 100)
    with pytest.raises(StoreUnavailable, match="junk"):
        read(tmp_path / "junk", lambda db: db.execute("SELECT 1 FROM t").get)


async def test_a_file_that_another_is_just_making_is_waited_for(open_file, tmp_path):
    path = tmp_path / "side.db"
    path.touch()
    other = apsw.Connection(str(path))
    other.set_busy_timeout(30_000)  # whoever tries has it for a moment
    other.execute("CREATE TABLE u (n); BEGIN IMMEDIATE; INSERT INTO u VALUES (1)")  # no WAL yet
    waiting = asyncio.ensure_future(open_file().do(add(1)))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    other.execute("COMMIT")
    await waiting
    other.close()


async def test_many_may_open_a_new_file_at_once(open_file, tmp_path):
    for number in range(40):
        files = [open_file(tmp_path / f"{number}.db") for _ in range(4)]
        await asyncio.gather(*(file.do(add(1)) for file in files))
        for file in files:
            file.close()
