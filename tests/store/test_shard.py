import contextlib
import os

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.model.message import Text
from postroad.store import shard as module
from postroad.store.backlog import ROWS
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.lock import ShardBusy
from postroad.store.shard import Shard

from .conftest import leave, queued


def test_a_shard_is_private_and_has_one_holder(shard, tmp_path):
    assert (tmp_path / "shard-0").stat().st_mode & 0o777 == 0o700
    with pytest.raises(ShardBusy):
        Shard(tmp_path / "shard-0")


@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS])
def test_batches_of_any_size_are_written_whole(shard, new, count):
    messages = [new() for _ in range(count)]
    shard.write([queued(shard, m) for m in messages])
    found = shard.claim(messages[0].due, 9e9, "me", 1000)
    assert [m.key for m in found] == [m.key for m in messages]


def test_a_batch_that_fails_changes_nothing(shard, new, monkeypatch):
    one, two = new(), new()
    shard.write([queued(shard, one)])

    def full(fd, offset, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    two.content = Text(b"x" * (5 << 20))
    with pytest.raises(OSError, match="No space"):
        shard.write([queued(shard, two)])
    assert shard.operate("delete", None) == [one.key]


def test_what_is_settled_with_the_batch_that_turns_the_journal_is_settled(tmp_path, new):
    shard = Shard(tmp_path / "small", journal_size=2000)
    first = new()
    shard.write([queued(shard, first, owner="me")])
    second = new()
    shard.write([queued(shard, second, owner="me")])
    while not (shard._journal.file == 1 and shard._journal.is_full()):
        shard.write([queued(shard, new(), owner="me")])
    gone, later = Change(print, first.key), Change(print, second.key)
    gone.done = first.key
    later.retry = (5.0, pack(second), second.key)
    shard.write([gone, later])
    assert shard._journal.file == 0, "the journal has turned"
    assert first.key not in [m.key for m in shard.page("all", -1, 999)]
    assert [m.key for m in shard.claim(5.0, 9e9, "me", 9)] == [second.key]
    shard.close()


def test_what_leaves_is_written_though_the_journal_cannot_be_turned(tmp_path, new):
    shard = Shard(tmp_path / "small", journal_size=2000)
    first = new()
    shard.write([queued(shard, first, owner="me")])
    while not (shard._journal.file == 1 and shard._journal.is_full()):
        shard.write([queued(shard, new(), owner="me")])
    shard.backlog.db.pragma("query_only", value=True)
    with pytest.raises(StoreUnavailable):
        shard.write([queued(shard, new(), owner="me")])
    gone = Change(print, first.key)
    gone.done = first.key
    shard.write([gone])
    assert first.key not in [m.key for m in shard.page("all", -1, 999)]
    shard.backlog.db.pragma("query_only", value=False)
    shard.write([queued(shard, new(), owner="me")])
    assert shard._journal.file == 0
    shard.close()


def test_deferred_mail_that_the_database_refuses_harms_nothing_that_is_written(shard, new, monkeypatch):
    """It was moved after the batch was written, and that the batch had failed was said then."""
    monkeypatch.setattr(module, "IDLE", 3)
    messages = [new() for _ in range(5)]
    shard.write([queued(shard, m) for m in messages])
    shard.backlog.db.pragma("query_only", value=True)
    gone = Change(print, messages[0].key)
    gone.done = messages[0].key
    shard.write([gone])
    with pytest.raises(StoreUnavailable):
        shard.write([queued(shard, new())])
    assert [m.key for m in shard.page("all", -1, 999)] == [m.key for m in messages[1:]]
    shard.backlog.db.pragma("query_only", value=False)
    last = new()
    shard.write([queued(shard, last)])
    assert [m.key for m in shard.page("all", -1, 999)] == [m.key for m in messages[1:]] + [last.key]
    assert shard._ledger.idle == {last.key}


def test_a_damaged_envelope_is_moved_aside_and_the_others_are_claimed(shard, new):
    bad, good = new(), new()
    shard.write([queued(shard, bad, file=True), queued(shard, good)])
    shard.operate("release", None)  # all are in the database then
    with shard.backlog.db:
        shard.backlog.db.execute(
            "UPDATE message SET envelope = substr(envelope, 1, 20) WHERE key = ?", (bad.key,)
        )
    assert [m.key for m in shard.claim(bad.due, 9e9, "me", 9)] == [good.key]
    assert [queue_id for queue_id, _reason in shard.backlog.damaged] == [bad.id]
    assert shard.backlog.db.execute("SELECT key FROM corrupt").fetchall() == [(bad.key,)]
    assert os.listdir(shard.bodies.directory) == [bad.id + ".corrupt"]


def test_a_message_that_lost_its_content_is_moved_aside_at_the_start(tmp_path, new):
    shard = Shard(tmp_path / "s")
    lost, kept = new(), new()
    shard.write([queued(shard, lost, file=True), queued(shard, kept, file=True)])
    shard.close()
    os.unlink(tmp_path / "s" / "bodies" / lost.id)
    shard = Shard(tmp_path / "s")
    shard.check(0.0)
    assert [m.key for m in shard.claim(kept.due, 9e9, "me", 9)] == [kept.key]
    assert shard.backlog.damaged == [(lost.id, "the content is missing or damaged")]
    shard.close()


def test_orphaned_files_are_purged_at_the_start(tmp_path, new):
    shard = Shard(tmp_path / "s")
    shard.bodies.spool(12345).finish()
    shard.close()
    shard = Shard(tmp_path / "s")
    assert shard.purged == 1
    assert os.listdir(shard.bodies.directory) == []
    shard.close()


@pytest.mark.parametrize("damage", [b"not a database" * 500, b"\x00" * 4096])
def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path, damage):
    (tmp_path / "queue.db").write_bytes(damage)
    with pytest.raises(StoreUnavailable):
        Shard(tmp_path)
    assert (tmp_path / "queue.db").read_bytes() == damage
    with pytest.raises(StoreUnavailable):  # and the lock was let go
        Shard(tmp_path)


def test_a_queue_of_a_newer_version_is_refused(tmp_path):
    shard = Shard(tmp_path / "s")
    shard.backlog.db.pragma("user_version", 99)
    shard.close()
    with pytest.raises(StoreUnavailable, match="newer version"):
        Shard(tmp_path / "s")


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot make"):
        Shard(tmp_path / "none" / "shard-0")


def test_the_newest_key_is_known(shard, new):
    assert shard.newest() == 0
    messages = [new() for _ in range(3)]
    shard.write([queued(shard, m) for m in messages])
    assert shard.newest() == messages[-1].key


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_root_does_leaves_the_shard_to_its_owner(tmp_path, new):
    path = tmp_path / "shard-0"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    shard = Shard(path)
    shard.write([queued(shard, new())])
    shard.close()
    owners = {entry.name: entry.stat().st_uid for entry in os.scandir(path)}
    assert set(owners.values()) == {65534}, owners


@pytest.mark.parametrize("verb", ["hold", "release", "expire", "delete"])
def test_a_database_that_fails_is_told_as_such(shard, new, verb):
    shard.write([queued(shard, new(), held=verb == "release")])
    shard.backlog.db.pragma("query_only", value=True)
    with pytest.raises(StoreUnavailable):
        shard.operate(verb, None)


# --- what the disk does


@pytest.fixture
def small(tmp_path):
    made = Shard(tmp_path / "small", journal_size=2000)
    yield made
    with contextlib.suppress(OSError):  # the test may have left it
        leave(made)


def fill(shard, new):
    """Write until the journal's other file is to be used again."""
    while not (shard._journal.file == 1 and shard._journal.is_full()):
        shard.write([queued(shard, new(), owner="me")])


def done(message):
    change = Change(print, message.key)
    change.done = message.key
    return change


def keys_of(shard, which="all"):
    return [message.key for message in shard.page(which, -1, 9999)]


def test_what_cannot_be_read_at_the_moment_keeps_its_file_and_nothing_else(small, new, monkeypatch):
    bad, good = new(text=b"unreadable\r\n"), new()
    small.write([queued(small, bad), queued(small, good)])
    read = os.pread

    def broken(fd, size, at):
        data = read(fd, size, at)
        if data == bad.content.data:
            raise OSError(5, "Input/output error")
        return data

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        with pytest.raises(StoreUnavailable, match=bad.id):
            small.content(bad.key)
        assert [m.key for m in small.claim(bad.due, 9e9, "me", 9)] == [good.key]
        fill(small, new)
        with pytest.raises(StoreUnavailable, match=bad.id):
            small.write([queued(small, new())])
        small.write([done(good)])
        assert good.key not in keys_of(small)
    assert [m.key for m in small.claim(bad.due, 9e9, "me", 9)] == [bad.key]
    small.write([queued(small, new())])
    assert small.backlog.damaged == []


@pytest.mark.parametrize("restart", [False, True])
def test_a_content_that_was_damaged_in_the_journal_is_moved_aside(tmp_path, small, new, restart):
    bad, good = new(text=b"to be damaged\r\n"), new()
    small.write([queued(small, bad), queued(small, good)])
    path = tmp_path / "small" / "journal-0"
    path.write_bytes(path.read_bytes().replace(b"to be damaged", b"TO BE DAMAGED"))
    small.settle_down([bad.key])
    if restart:  # before it was looked at: the next start finds it
        leave(small)
        small = Shard(tmp_path / "small")
    assert [m.key for m in small.claim(bad.due, 9e9, "me", 9)] == [good.key]
    assert small.backlog.damaged == [(bad.id, "the content is missing or damaged")]
    if restart:
        leave(small)


def test_a_shard_whose_database_is_full_at_the_end_is_found_whole_by_the_next_start(tmp_path, new):
    shard = Shard(tmp_path / "s", journal_size=2000)
    messages = [new() for _ in range(20)]
    for message in messages:
        shard.write([queued(shard, message)])
    shard.backlog.db.pragma("query_only", value=True)
    shard.close()
    shard = Shard(tmp_path / "s")
    assert shard.recovered > 0
    assert [m.key for m in shard.claim(messages[0].due, 9e9, "me", 99)] == [m.key for m in messages]
    shard.close()


def test_what_is_done_stays_away_though_the_database_could_not_be_told_at_the_end(tmp_path, new):
    shard = Shard(tmp_path / "s")
    first, second = new(), new()
    shard.write([queued(shard, first), queued(shard, second)])
    assert [m.key for m in shard.claim(first.due, 9e9, "me", 1)] == [
        first.key
    ]  # both are in the database then
    shard.write([done(first)])
    shard.backlog.db.pragma("query_only", value=True)
    shard.close()
    shard = Shard(tmp_path / "s")
    shard.return_leases(0.0)
    assert keys_of(shard) == [second.key]
    shard.close()


def test_a_journal_of_an_orderly_end_leaves_no_files(tmp_path, new):
    shard = Shard(tmp_path / "s")
    shard.write([queued(shard, new())])
    shard.close()
    assert not list((tmp_path / "s").glob("journal-*"))
    shard = Shard(tmp_path / "s")
    assert (shard.recovered, len(keys_of(shard))) == (0, 1)
    shard.close()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/passwd", path)])
@pytest.mark.parametrize("name", ["journal-0", "journal-1"])
def test_what_stands_in_the_journals_place_is_refused_and_not_touched(tmp_path, new, name, make):
    Shard(tmp_path / "s").close()
    make(tmp_path / "s" / name)
    for _ in range(2):  # the lock was let go
        with pytest.raises(StoreUnavailable, match="cannot open the queue"):
            Shard(tmp_path / "s")
    assert os.path.lexists(tmp_path / "s" / name)


def test_a_damaged_journal_is_kept_and_the_rest_of_it_is_read(tmp_path, small, new):
    messages = [new(f"r{n}@x.test") for n in range(3)]
    for message in messages:
        small.write([queued(small, message)])
    leave(small)
    path = tmp_path / "small" / "journal-0"
    damaged = path.read_bytes().replace(pack(messages[1]), pack(messages[1]).upper())
    path.write_bytes(damaged)
    again = Shard(tmp_path / "small")
    assert keys_of(again) == [messages[0].key, messages[2].key]
    assert (tmp_path / "small" / "journal-0.damaged").read_bytes() == damaged
    again.operate("delete", None)
    again.remove_if_empty()
    again.close()
    assert (tmp_path / "small" / "journal-0.damaged").exists(), "it is for a person to look at"


def test_what_moves_to_the_database_is_in_memory_a_few_messages_at_a_time(shard, new, monkeypatch):
    shard.write([queued(shard, new()) for _ in range(3 * ROWS + 1)])
    parts, insert = [], shard.backlog.insert

    def noted(given, settled):
        def each():
            for rows, bodies in given:
                parts.append((len(rows), len(bodies)))
                yield rows, bodies

        insert(each(), settled)

    monkeypatch.setattr(shard.backlog, "insert", noted)
    shard.settle_down(None)
    assert parts == [(ROWS, ROWS)] * 3 + [(1, 1)]
