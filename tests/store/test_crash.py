"""A crash between any two system calls, and readers beside a journal that turns."""

import os
import random
import shutil
import threading

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.model.message import Message, Recipient, Text
from postroad.store import journal
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.reader import ShardReader
from postroad.store.shard import Shard

from .conftest import leave

SIZE = 1500
CALLS = ("pwritev", "pwrite", "fdatasync", "fsync", "posix_fallocate", "unlink", "rename")


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(journal, "_STEP", 4096)
    monkeypatch.setattr(journal, "_SPARE", 0)


class Books:
    """What was promised of a shard, and what is under way."""

    def __init__(self):
        self.contents = {}
        self.queued = set()  # acknowledged and not done
        self.done = set()
        self.beginning = set()
        self.ending = set()

    def check(self, directory):
        """Open a copy and compare."""
        shard = Shard(directory, SIZE)
        shard.return_leases(0.0)
        shard.check(0.0)
        assert shard.backlog.damaged == []
        found = {m.key for m in shard.page("all", -1, 999)}
        assert self.queued - self.ending <= found, "something is lost"
        assert not found & self.done, "something came back"
        assert found <= self.queued | self.beginning
        reader = ShardReader(directory)
        for message in reader.find():
            assert b"".join(reader.content(message).pieces()) == self.contents[message.key]
        reader.close()
        shard.operate("release", None)
        claimed = {m.key for m in shard.claim(1e10, 2e10, "next", 999)}
        assert claimed == found, "what is there can be delivered"
        leave(shard)


def arrival(shard, books, key, size, *, file=False):
    content = b"%06d\r\n" % key * (size // 8 + 1)
    message = Message(key, "a@x.test", [Recipient("b@x.test")], 1.0, Text(content))
    message.size = len(content)
    change = Change(print, key)
    change.row = (key, 1e9, "me", 0, pack(message))
    if file:
        spool = shard.bodies.spool(key)
        spool.write(content)
        spool.finish()
    else:
        change.carry(content)
    books.contents[key] = content
    books.beginning.add(key)
    return change


def end(books, key, **values):
    change = Change(print, key)
    for name, value in values.items():
        setattr(change, name, value)
    if change.done:
        books.ending.add(key)
    return change


def write(shard, books, changes):
    shard.write(changes)
    books.queued |= books.beginning
    books.queued -= books.ending
    books.done |= books.ending
    books.beginning, books.ending = set(), set()


def life(shard, books, seed):
    """Do some of everything."""
    chance = random.Random(seed)
    key = 0
    for _ in range(20):
        leased = sorted(books.queued)
        changes = []
        for _ in range(chance.randrange(3)):
            key += 1
            changes.append(
                arrival(shard, books, key, chance.choice((10, 300, 700)), file=chance.random() < 0.2)
            )
        for done in chance.sample(leased, min(len(leased), chance.randrange(3))):
            notices = []
            if chance.random() < 0.3:
                key += 1
                notices.append(arrival(shard, books, key, 50))
            changes.append(end(books, done, done=done, notices=notices))
        rest = sorted(books.queued - books.ending)
        if rest and chance.random() < 0.5:
            later = chance.choice(rest)
            message = Message(later, "a@x.test", [Recipient("b@x.test")], 1.0)
            message.size = len(books.contents[later])
            changes.append(end(books, later, retry=(1.0, pack(message), later)))
        if changes:
            write(shard, books, changes)
        if chance.random() < 0.3:
            shard.claim(2.0, 9.0, "me", 2)
        if books.queued and chance.random() < 0.3:
            shard.operate(chance.choice(("hold", "release")), [chance.choice(sorted(books.queued))])
        if books.queued and chance.random() < 0.2:
            gone = chance.choice(sorted(books.queued))
            shard.return_leases(0.5)
            books.ending.add(gone)
            assert shard.operate("delete", [gone]) == [gone]
            books.ending.clear()
            books.queued.discard(gone)
            books.done.add(gone)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_comes_back_wherever_the_process_ends(tmp_path, monkeypatch, seed):
    directory, books = tmp_path / "shard-0", Books()
    crashes, problems = [0], []
    copying = [False]

    def crash():
        if copying[0] or not directory.exists():
            return
        copying[0] = True
        crashes[0] += 1
        copy = tmp_path / f"crash-{crashes[0]}"
        shutil.copytree(directory, copy)
        try:
            books.check(copy)
        except Exception as problem:  # noqa: BLE001 - SQLite's hooks would hide it
            problems.append(problem)
        shutil.rmtree(copy)
        copying[0] = False

    shard = Shard(directory, SIZE)
    for name in CALLS:
        plain = getattr(os, name)

        def before_and_after(*values, plain=plain, **named):
            crash()
            result = plain(*values, **named)
            crash()
            return result

        monkeypatch.setattr(os, name, before_and_after)
    shard.backlog.db.set_commit_hook(lambda: crash() or False)
    shard.backlog.db.set_wal_hook(lambda db, name, pages: crash() or 0)
    life(shard, books, seed)
    turns = shard._journal.generation
    shard.close()
    crash()
    assert problems == []
    assert turns > 2
    assert crashes[0] > 100


def test_a_crash_while_a_start_recovers_is_recovered_by_the_next(tmp_path, monkeypatch):
    directory, books = tmp_path / "shard-0", Books()
    shard = Shard(directory, SIZE)
    for first in range(1, 12, 2):
        write(
            shard, books, [arrival(shard, books, key, 300, file=key % 4 == 0) for key in (first, first + 1)]
        )
    write(shard, books, [end(books, key, done=key) for key in (2, 3, 11)])
    leave(shard)
    insert = shard.backlog.__class__.insert

    for when in ("before", "after"):

        def dies(self, *values, when=when):
            if when == "after":
                insert(self, *values)
            raise StoreUnavailable

        with monkeypatch.context() as patch:
            patch.setattr(shard.backlog.__class__, "insert", dies)
            with pytest.raises(StoreUnavailable):
                Shard(directory, SIZE)
        copy = tmp_path / when
        shutil.copytree(directory, copy)
        books.check(copy)


def test_readers_miss_nothing_while_the_journal_turns(tmp_path):
    """What is queued all the time is seen all the time, with its content, and once."""
    shard, books = Shard(tmp_path / "shard-0", SIZE), Books()
    kept = set(range(1, 6))
    write(shard, books, [arrival(shard, books, key, 100) for key in kept])
    problems, rounds = [], [0]
    stop = threading.Event()

    def look():
        while not stop.is_set():
            reader = ShardReader(tmp_path / "shard-0")
            try:
                messages = reader.find()
                keys = [m.key for m in messages]
                if not kept <= set(keys) or keys != sorted(set(keys)):
                    problems.append(keys)
                for message in messages:
                    content = reader.content(message)
                    if message.key in kept and content.data != books.contents[message.key]:
                        problems.append((message.key, content))
            except Exception as error:  # noqa: BLE001 - told in the test's thread
                problems.append(error)
            finally:
                reader.close()
            rounds[0] += 1

    thread = threading.Thread(target=look)
    thread.start()
    key, passing = 100, []
    try:
        while (rounds[0] < 200 or shard._journal.generation < 12) and not problems:
            key += 1
            write(shard, books, [arrival(shard, books, key, 200), *(end(books, k, done=k) for k in passing)])
            passing = [key]
    finally:
        stop.set()
        thread.join()
    assert problems == []
    shard.close()


def test_a_content_can_be_read_in_another_thread_while_the_journal_turns(tmp_path):
    shard, books = Shard(tmp_path / "shard-0", SIZE), Books()
    reader = ShardReader(tmp_path / "shard-0")
    problems, reads = [], [0]
    stop = threading.Event()
    watched = [0]

    def look():
        while not stop.is_set():
            key = watched[0]
            if key:
                message = Message(key, "", [], 0.0)
                content = shard.content(key) or reader.stored(message)
                if watched[0] == key and (content is None or content.data != books.contents[key]):
                    problems.append((key, content))
                reads[0] += 1

    thread = threading.Thread(target=look)
    thread.start()
    key = 0
    try:
        while (key < 300 or reads[0] < 500) and not problems:
            key += 1
            write(shard, books, [arrival(shard, books, key, 300)])
            watched[0] = key - key % 6 or 1
            if key > 20:
                write(shard, books, [end(books, key - 20, done=key - 20)])
    finally:
        stop.set()
        thread.join()
    assert problems == []
    reader.close()
    shard.close()
