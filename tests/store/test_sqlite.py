import asyncio
import os

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.model.message import Text
from postroad.store import sqlite
from postroad.store.envelope import pack
from postroad.store.lock import ShardBusy
from postroad.store.sqlite import SqliteStore


async def test_two_stores_on_one_shard_are_refused(sqlite_bench, clock, log, tmp_path):
    with pytest.raises(ShardBusy, match=str(os.getpid())):
        SqliteStore(tmp_path / "shard-0", clock=clock, log=log)


async def test_a_spooled_file_goes_with_its_message(sqlite_bench, new, tmp_path):
    message = await spooled(sqlite_bench, new)
    assert os.listdir(tmp_path / "shard-0" / "bodies") == [message.id]
    await sqlite_bench.finish(message)
    assert os.listdir(tmp_path / "shard-0" / "bodies") == []


async def spooled(bench, new):
    message = new()
    spool = bench.store.spool(message.key)
    spool.write(b"x" * 1000)
    message.content = spool.finish()
    message.size = 1000
    return await bench.accept(message)


async def test_a_deleted_message_takes_its_file_along(sqlite_bench, new, tmp_path, clock):
    waiting, leased = await spooled(sqlite_bench, new), await spooled(sqlite_bench, new)
    await sqlite_bench.settle(waiting, due=clock.now())
    await sqlite_bench.store.delete(None)
    assert os.listdir(tmp_path / "shard-0" / "bodies") == [leased.id]
    await sqlite_bench.settle(leased, due=clock.now())
    assert os.listdir(tmp_path / "shard-0" / "bodies") == []


async def test_a_refused_message_takes_its_file_along(sqlite_bench, new, tmp_path, monkeypatch):
    def fail(changes):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sqlite_bench.store._writer, "_write", fail)
    with pytest.raises(StoreUnavailable, match="Input/output"):
        await spooled(sqlite_bench, new)
    assert os.listdir(tmp_path / "shard-0" / "bodies") == []


class Foreign:
    """A content that comes from elsewhere, piece by piece."""

    data = None

    def __init__(self):
        self.size = 6

    def pieces(self, size=0):
        yield b"abc"
        yield b"def"


async def test_a_foreign_content_is_copied(sqlite_bench, new):
    message = new()
    message.content = Foreign()
    await sqlite_bench.accept(message)
    (found,) = await sqlite_bench.store.find()
    assert b"".join(sqlite_bench.store.content(found).pieces()) == b"abcdef"


async def test_a_foreign_content_that_ends_early_is_refused(sqlite_bench, new, tmp_path):
    message = new()
    message.content = Foreign()
    message.content.size = 7
    with pytest.raises(StoreUnavailable, match="7 bytes has 6"):
        await sqlite_bench.accept(message)
    assert os.listdir(tmp_path / "shard-0" / "bodies") == []


async def test_a_forward_may_have_the_content_of_a_file_of_another_message(sqlite_bench, new, tmp_path):
    message = await spooled(sqlite_bench, new)
    forward = new()
    forward.content = message.content
    forward.size = 1000
    await sqlite_bench.finish(message, notices=[forward])
    assert os.listdir(tmp_path / "shard-0" / "bodies") == [forward.id]
    (found,) = await sqlite_bench.store.find()
    assert b"".join(sqlite_bench.store.content(found).pieces()) == b"x" * 1000


async def test_a_content_that_is_gone_cannot_be_read(sqlite_bench, new):
    message = new()
    message.content = None
    with pytest.raises(StoreUnavailable, match="missing"):
        sqlite_bench.store.content(message)


async def test_a_crash_is_noted_and_its_messages_are_due(sqlite_bench, new, sink):
    await sqlite_bench.accept(new())
    await sqlite_bench.crash()
    assert "qmgr: shard-0: 1 messages of a run that ended early are due now" in sink.lines


async def test_a_damaged_message_is_logged_once(sqlite_bench, new, clock, sink):
    message = await sqlite_bench.accept(new())
    await sqlite_bench.settle(message, due=clock.now())
    await sqlite_bench.store.release(None)  # it is in the database then
    with sqlite_bench.store._shard.backlog.db as db:
        db.execute("UPDATE message SET envelope = x'00'")
    for _ in range(2):
        assert await sqlite_bench.store.claim(now=clock.now(), most=9) == []
    assert len([line for line in sink.lines if message.id in line and "error" in line]) == 1


async def test_adopting_a_shard_brings_its_mail_and_removes_it(sqlite_bench, new, clock, log, tmp_path, sink):
    other = SqliteStore(tmp_path / "shard-1", clock=clock, log=log)
    message = new()
    done = asyncio.get_running_loop().create_future()
    other.accept(message, done.set_result)
    assert await done is None
    with pytest.raises(ShardBusy):
        await sqlite_bench.store.adopt(tmp_path / "shard-1")
    await other.close()
    assert await sqlite_bench.store.adopt(tmp_path / "shard-1") == 1
    assert not (tmp_path / "shard-1").exists()
    (claimed,) = await sqlite_bench.store.claim(now=clock.now(), most=9)
    assert claimed.key == message.key
    assert sqlite_bench.store.content(claimed).data == message.content.data
    assert "qmgr: 1 messages taken over from shard-1" in sink.lines


async def test_the_newest_key_lets_ids_go_on_after_a_clock_that_went_back(sqlite_bench, new):
    message = await sqlite_bench.accept(new())
    await sqlite_bench.reopen()
    assert sqlite_bench.store.newest == message.key


async def test_a_message_that_cannot_be_packed_is_refused_not_raised(sqlite_bench, new):
    message = new()
    message.attributes = {"name": object()}
    with pytest.raises(StoreUnavailable):
        await sqlite_bench.accept(message)
    message.attributes = {}
    await sqlite_bench.accept(message)


async def test_a_settlement_with_a_notice_that_cannot_be_packed_keeps_the_lease(sqlite_bench, new):
    message, notice = await sqlite_bench.accept(new()), new()
    notice.content = None
    with pytest.raises(StoreUnavailable):
        await sqlite_bench.finish(message, notices=[notice])
    notice.content = Text(b"now\r\n")
    await sqlite_bench.finish(message, notices=[notice])
    assert [m.key for m in await sqlite_bench.store.find()] == [notice.key]


async def test_a_settlement_with_a_notice_whose_content_is_unreadable_keeps_the_lease(
    sqlite_bench, new, clock
):
    message, notice = await sqlite_bench.accept(new()), new()
    notice.content = Foreign()
    notice.content.size = 99
    with pytest.raises(StoreUnavailable, match="99 bytes has 6"):
        await sqlite_bench.finish(message, notices=[notice])
    message.recipients[0].done = False
    await sqlite_bench.settle(message, due=clock.now() + 1)
    assert [m.key for m in await sqlite_bench.store.find()] == [message.key]


async def test_readers_do_not_keep_the_log_from_being_written_back(sqlite_bench, new):
    message = await sqlite_bench.accept(new())
    (found,) = await sqlite_bench.store.find()
    sqlite_bench.store.content(found)
    await sqlite_bench.store.count()
    busy = await sqlite_bench.store._writer.call(
        lambda: sqlite_bench.store._shard.backlog.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    )
    assert not busy
    await sqlite_bench.finish(message)


async def test_a_verb_for_all_reaches_all_in_slices_and_others_get_their_turn(
    sqlite_bench, new, clock, monkeypatch
):
    monkeypatch.setattr(sqlite, "_SLICE", 3)
    messages = [await sqlite_bench.accept(new()) for _ in range(8)]
    for message in messages[:5]:
        await sqlite_bench.settle(message, due=clock.now() + 100)
    holding = asyncio.ensure_future(sqlite_bench.store.hold(None))
    await asyncio.sleep(0)
    later = await sqlite_bench.accept(new())
    assert not holding.done()
    assert (await holding)[:8] == [message.key for message in messages]
    held = await sqlite_bench.store.page("held", after=0, most=99)
    assert [m.key for m in held][:8] == [m.key for m in messages]
    assert later.key in [m.key for m in await sqlite_bench.store.find()]


async def test_a_damaged_journal_is_said_at_every_start_until_it_is_taken_away(
    sqlite_bench, new, tmp_path, sink
):
    messages = [await sqlite_bench.accept(new(f"r{n}@x.test")) for n in range(3)]
    path = tmp_path / "shard-0" / "journal-0"
    envelope = pack(messages[1])
    path.write_bytes(path.read_bytes().replace(envelope, envelope.upper()))
    await sqlite_bench.crash()
    assert [m.key for m in await sqlite_bench.store.find()] == [messages[0].key, messages[2].key]
    await sqlite_bench.reopen()
    kept = tmp_path / "shard-0" / "journal-0.damaged"
    said = f"qmgr: error: mail may be missing: a part of the journal cannot be read; it is kept as {kept}"
    assert sink.lines.count(said) == 2
    kept.unlink()
    await sqlite_bench.reopen()
    assert sink.lines.count(said) == 2


async def test_what_lost_its_content_is_moved_aside_before_a_shard_is_taken_over(
    sqlite_bench, new, clock, log, tmp_path, sink
):
    other = SqliteStore(tmp_path / "shard-1", clock=clock, log=log)
    lost, kept = new(), new()
    for message in (lost, kept):
        spool = other.spool(message.key)
        spool.write(b"x" * 1000)
        message.content = spool.finish()
        done = asyncio.get_running_loop().create_future()
        other.accept(message, done.set_result)
        assert await done is None
    await other.close()
    os.unlink(tmp_path / "shard-1" / "bodies" / lost.id)
    assert await sqlite_bench.store.adopt(tmp_path / "shard-1") == 1
    assert [m.key for m in await sqlite_bench.store.claim(now=clock.now(), most=9)] == [kept.key]
    assert [line for line in sink.lines if lost.id in line and "moved to the corrupt messages" in line]
    assert (tmp_path / "shard-1" / "queue.db").exists(), "its envelope is there for a person to look at"


async def test_a_content_in_the_journal_that_cannot_be_read_is_no_missing_one(sqlite_bench, new, monkeypatch):
    message = await sqlite_bench.accept(new())
    message.content = None

    def broken(fd, size, at):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        with pytest.raises(StoreUnavailable, match="Input/output"):
            sqlite_bench.store.content(message)
    assert sqlite_bench.store.content(message).size == message.size


async def test_a_flush_that_takes_long_goes_on_by_itself(sqlite_bench, new, clock, monkeypatch):
    monkeypatch.setattr(sqlite, "_SLICE", 1)
    monkeypatch.setattr(sqlite, "_PATIENCE", 0.0)
    messages = [await sqlite_bench.accept(new()) for _ in range(8)]
    for message in messages:
        await sqlite_bench.settle(message, due=clock.now() + 1000)
    assert await sqlite_bench.store.flush(None, now=clock.now()) == []
    found = []
    while len(found) < 8:
        found += await sqlite_bench.store.claim(now=clock.now(), most=9)
    assert sorted(m.key for m in found) == [m.key for m in messages]


async def test_a_flush_ends_with_its_store(sqlite_bench, new, clock, monkeypatch):
    monkeypatch.setattr(sqlite, "_SLICE", 1)
    monkeypatch.setattr(sqlite, "_PATIENCE", 0.0)
    for _ in range(50):
        await sqlite_bench.settle(await sqlite_bench.accept(new()), due=clock.now() + 1000)
    await sqlite_bench.store.flush(None, now=clock.now())
    await sqlite_bench.reopen()
    assert await sqlite_bench.store.count() == 50
