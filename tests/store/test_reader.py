import os

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.reader import ShardReader, shards


@pytest.fixture
async def reader(sqlite_bench, tmp_path):
    made = ShardReader(tmp_path / "shard-0")
    yield made
    made.close()


async def test_a_reader_sees_the_queue_beside_the_server(sqlite_bench, reader, new):
    one, two = [await sqlite_bench.accept(new()) for _ in range(2)]
    assert [m.key for m in reader.find()] == [one.key, two.key]
    assert [m.key for m in reader.find([two.key])] == [two.key]
    assert reader.count() == 2
    assert reader.content(one).data == one.content.data


async def test_a_reader_sees_the_queue_of_a_server_that_is_down(sqlite_bench, new, tmp_path):
    message = await sqlite_bench.accept(new())
    await sqlite_bench.crash()
    await sqlite_bench.store.close()
    reader = ShardReader(tmp_path / "shard-0")
    assert [m.key for m in reader.find()] == [message.key]
    reader.close()
    sqlite_bench.store = sqlite_bench._make()


async def test_large_contents_are_read_from_their_files(sqlite_bench, reader, new, tmp_path):
    message = new()
    spool = sqlite_bench.store.spool(message.key)
    spool.write(b"x" * 9)
    message.content = spool.finish()
    message.size = 9
    await sqlite_bench.accept(message)
    assert b"".join(reader.content(message).pieces()) == b"x" * 9
    os.unlink(tmp_path / "shard-0" / "bodies" / message.id)
    assert reader.content(message) is None


async def test_a_damaged_message_is_left_out(sqlite_bench, reader, new):
    one, two = [await sqlite_bench.accept(new()) for _ in range(2)]
    await sqlite_bench.store.release(None)  # all are in the database then
    with sqlite_bench.store._shard.backlog.db as db:
        db.execute("UPDATE message SET envelope = x'00' WHERE key = ?", (one.key,))
    assert [m.key for m in reader.find()] == [two.key]


def test_where_there_is_no_shard_it_says_so(tmp_path):
    with pytest.raises(StoreUnavailable):
        ShardReader(tmp_path)
    assert shards(tmp_path / "none") == []


def test_shards_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 0):
        (tmp_path / f"shard-{number}").mkdir()
        (tmp_path / f"shard-{number}" / "queue.db").touch()
    (tmp_path / "shard-7").mkdir()
    assert [path.name for path in shards(tmp_path)] == ["shard-0", "shard-2", "shard-10"]


async def test_a_file_that_is_no_database_cannot_be_read(tmp_path):
    (tmp_path / "queue.db").write_bytes(b"rubbish" * 1000)
    reader = ShardReader(tmp_path)
    for look in (reader.find, reader.count):
        with pytest.raises(StoreUnavailable):
            look()
