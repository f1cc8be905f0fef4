import os

import pytest

from postroad.store import adopt as module
from postroad.store.adopt import adopt
from postroad.store.shard import Shard

from .conftest import queued


@pytest.fixture
def other(tmp_path):
    made = Shard(tmp_path / "shard-1")
    yield made
    made.close()


def test_adopting_moves_everything_and_empties_the_other(shard, tmp_path, new):
    other = Shard(tmp_path / "shard-1")
    messages = [new() for _ in range(230)]
    other.write([queued(other, m, file=n % 50 == 0, held=n % 2) for n, m in enumerate(messages)])
    other.operate("expire", [messages[4].key])
    assert adopt(shard, other) == 230
    assert adopt(shard, other) == 0
    other.remove_if_empty()
    other.close()
    assert not (tmp_path / "shard-1").exists()
    claimed = shard.claim(messages[0].due, 9e9, "me", 999)
    assert [m.key for m in claimed] == [m.key for m in messages[::2]]
    assert [m.key for m in claimed if "expired" in m.attributes] == [messages[4].key]
    assert (shard.bodies.directory / messages[50].id).read_bytes() == messages[50].content.data


def test_what_was_adopted_before_a_crash_is_not_taken_twice(shard, tmp_path, new):
    other = Shard(tmp_path / "shard-1")
    message, large = new(), new()
    other.write([queued(other, message), queued(other, large, file=True)])
    for key in (message, large):  # what a crash between the two transactions leaves
        change = queued(shard, key, file=key is large)
        shard.write([change])
    assert adopt(shard, other) == 2
    assert shard.operate("delete", None) == [message.key, large.key]
    other.close()


def test_a_shard_with_corrupt_messages_is_kept_when_it_is_empty(shard, tmp_path, new):
    other = Shard(tmp_path / "shard-1")
    message = new()
    other.write([queued(other, message)])
    other.settle_down(None)
    other.backlog.quarantine(message.key, "test", 0.0)
    assert adopt(shard, other) == 0
    other.remove_if_empty()
    other.close()
    assert (tmp_path / "shard-1" / "queue.db").exists()


def test_half_a_copy_that_a_crash_left_is_made_whole(shard, other, new, monkeypatch):
    message = new(text=b"whole\r\n" * 100)
    other.write([queued(other, message, file=True)])

    def elsewhere(*paths):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", elsewhere)
    (shard.bodies.directory / message.id).write_bytes(b"whole\r\nwho")
    assert adopt(shard, other) == 1
    assert (shard.bodies.directory / message.id).read_bytes() == message.content.data


def test_files_are_durable_before_the_rows_that_name_them(shard, other, new, monkeypatch):
    message = new()
    other.write([queued(other, message, file=True)])
    events = []
    sync = shard.bodies.sync
    monkeypatch.setattr(shard.bodies, "sync", lambda keys: (sync(keys), events.append(("sync", keys))))
    shard.backlog.db.set_update_hook(lambda kind, base, table, key: events.append((table, key)))
    adopt(shard, other)
    assert events == [("sync", [message.key]), ("message", message.key)]
    assert not other.bodies.keys


def test_what_the_journal_still_has_is_taken_too(shard, other, new, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 2)
    messages = [new() for _ in range(5)]
    other.write([queued(other, message, owner="dead") for message in messages])
    assert adopt(shard, other) == 5
    assert other.page("all", -1, 9) == []
    found = shard.page("waiting", -1, 9)
    assert [message.key for message in found] == [message.key for message in messages]
    assert [
        shard.backlog.db.execute("SELECT content FROM body WHERE key = ?", (m.key,)).fetchone()[0]
        for m in found
    ] == [m.content.data for m in messages]
