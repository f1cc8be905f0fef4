"""What was acknowledged is there until it is done, once, with its own content; what is done stays away.

Shards with tiny journals, which turn all the time, against a model: a dictionary.  A crash is a copy of the
directory while the shard is open: what a process leaves that is killed between two system calls.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
)

from postroad.model.message import Message, Recipient, Text
from postroad.store import journal, shard
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.reader import ShardReader
from postroad.store.shard import Shard

from .conftest import leave

FAR = 1e9
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # no sync is waited for there
TINY = 400  # bytes: a journal that turns with every few batches
EXAMPLES = int(os.environ.get("SURVIVAL_EXAMPLES", "12"))
ACTIVE, WAITING, HELD = "active", "waiting", "held"
bodies = st.binary(min_size=0, max_size=400)


class Entry:
    """What the model knows of a message."""

    def __init__(self, body, *, held=False):
        self.body = body
        self.leased = not held
        self.held = held
        self.due = FAR
        self.attempts = 0

    @property
    def kind(self):
        return HELD if self.held else ACTIVE if self.leased else WAITING


class Survival(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.saved = journal._STEP, journal._SPARE, shard.IDLE
        journal._STEP, journal._SPARE, shard.IDLE = 4096, 0, 6
        self.place = Path(tempfile.mkdtemp(prefix="survival", dir=MEMORY))
        self.lives = 0
        self.keys = 0
        self.model = {}
        self.buried = set()
        self.open()

    def teardown(self):
        with contextlib.suppress(OSError):  # an example that failed may have left it
            leave(self.shard)
        journal._STEP, journal._SPARE, shard.IDLE = self.saved
        shutil.rmtree(self.place)

    # --- lives

    def open(self):
        self.shard = Shard(self.path, journal_size=TINY)
        self.shard.owner = f"life {self.lives}"
        self.shard.return_leases(0.0)
        self.shard.check(0.0)
        assert self.shard.backlog.damaged == []
        for key in self.buried:
            self.model.pop(key, None)
        self.buried = set()
        for entry in self.model.values():
            if entry.leased:
                entry.leased, entry.due = False, 0.0

    @property
    def path(self):
        return self.place / str(self.lives)

    def follow(self):
        """Go on in a copy."""
        before = self.path
        self.lives += 1
        shutil.copytree(before, self.path)
        leave(self.shard)
        shutil.rmtree(before)

    @rule()
    def crash(self):
        self.follow()
        self.open()

    @rule()
    def stop_and_start(self):
        self.shard.return_leases(0.0)
        self.shard.close()
        assert not list(self.path.glob("journal-*"))
        self.open()

    @rule(batch=st.lists(bodies, min_size=1, max_size=3), part=st.floats(0, 1))
    def crash_while_a_batch_is_written(self, batch, part):
        """It may be there or not, but whole; and whatever was there before is."""
        with_batch = dict(self.model)
        changes = [self.new(body, with_batch) for body in batch]
        writing, at = self.shard._journal.file, self.shard._journal._at
        if self.shard._journal.is_full() or len(self.shard._ledger.idle) > shard.IDLE:
            return
        self.follow_with(changes, f"journal-{writing}", at, part)
        self.shard = Shard(self.path, journal_size=TINY)
        found = {message.key for message in self.shard.page("all", -1, 999)}
        leave(self.shard)
        if found - self.buried != self.model.keys() - self.buried:
            self.model = with_batch
        self.open()

    def follow_with(self, changes, name, at, part):
        self.lives += 1
        shutil.copytree(self.place / str(self.lives - 1), self.path)
        self.shard.write(changes)
        whole = (self.place / str(self.lives - 1) / name).read_bytes()
        end = at + int((self.shard._journal._at - at) * part)
        with (self.path / name).open("r+b" if (self.path / name).exists() else "wb") as file:
            file.seek(at)
            file.write(whole[at:end])
        leave(self.shard)
        shutil.rmtree(self.place / str(self.lives - 1))

    # --- what sessions and attempts do

    def new(self, body, model, *, held=False, file=False):
        self.keys += 1
        key = self.keys
        message = Message(key, "a@x.test", [Recipient("b@x.test")], 1.0, Text(body))
        message.size = len(body)
        change = Change(print, key)
        change.row = (key, FAR, "" if held else self.shard.owner, int(held), pack(message))
        if file:
            spool = self.shard.bodies.spool(key)
            spool.write(body)
            spool.finish()
        else:
            change.carry(body)
        model[key] = Entry(body, held=held)
        return change

    def leased(self):
        return sorted(key for key, entry in self.model.items() if entry.leased)

    def chosen(self, data, most=4):
        return data.draw(st.lists(st.sampled_from(self.leased()), unique=True, max_size=most))

    def ends(self, data, model):
        """Make the changes of some attempts: ended, put off, or under way."""
        changes = []
        for key in self.chosen(data) if self.leased() else []:
            change = Change(print, key)
            end = data.draw(st.sampled_from(["done", "done with a notice", "retry", "progress"]))
            if end.startswith("done"):
                change.done = key
                if end != "done":
                    change.notices = [self.new(b"notice", model, file=data.draw(st.booleans()))]
                del model[key]
            else:
                old = model[key]
                model[key] = entry = Entry(old.body, held=old.held)
                entry.attempts = old.attempts + 1
                message = Message(key, "a@x.test", [Recipient("b@x.test")], 1.0)
                message.attempts, message.size = entry.attempts, len(entry.body)
                if end == "retry":
                    entry.leased, entry.due = False, float(data.draw(st.integers(0, 3)))
                    change.retry = (entry.due, pack(message), key)
                    if key in self.buried:
                        del model[key]
                else:
                    entry.leased, entry.due = old.leased, old.due
                    change.progress = (pack(message), key)
            changes.append(change)
        return changes

    def write(self, data, arrivals):
        model = dict(self.model)
        changes = self.ends(data, model)
        changes += [self.new(body, model, held=held, file=file) for body, held, file in arrivals]
        if changes:
            self.shard.write(changes)
            self.model = model
            self.buried &= model.keys()

    @rule(data=st.data(), arrivals=st.lists(st.tuples(bodies, st.booleans(), st.booleans()), max_size=4))
    def batch(self, data, arrivals):
        self.write(data, arrivals)

    @rule(data=st.data(), sizes=st.lists(st.integers(0, 300), min_size=2, max_size=8))
    def traffic(self, data, sizes):
        """Batches that the journal alone sees, one after the other."""
        for size in sizes:
            self.write(data, [(bytes([65 + size % 26]) * size, False, False)])

    @rule(batch=st.lists(bodies, min_size=1, max_size=3), at=st.sampled_from(["pwritev", "fdatasync"]))
    def refused_batch(self, batch, at):
        changes = [self.new(body, {}) for body in batch]
        plain = getattr(os, at)

        def fail(*_values):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        setattr(os, at, fail)
        try:
            with pytest.raises(OSError, match="Input/output"):
                self.shard.write(changes)
        finally:
            setattr(os, at, plain)

    @rule(now=st.integers(0, 3), most=st.integers(1, 5))
    def claim(self, now, most):
        due = sorted(entry.due for entry in self.model.values() if entry.kind == WAITING and entry.due <= now)
        claimed = self.shard.claim(float(now), FAR, self.shard.owner, most)
        assert sorted(self.model[m.key].due for m in claimed) == due[:most]
        for message in claimed:
            entry = self.model[message.key]
            assert entry.kind == WAITING
            entry.leased, entry.due = True, FAR

    # --- what operators do

    @rule(data=st.data(), verb=st.sampled_from(["hold", "release", "delete", "requeue", "flush"]))
    def operate(self, data, verb):
        seen = self.model.keys() - self.buried
        keys = data.draw(st.none() | st.lists(st.sampled_from(sorted(seen) or [0]), unique=True, max_size=3))
        times = {"now": 1.0} if verb in ("requeue", "flush") else {}
        changed = set(self.shard.operate(verb, keys, **times))
        wanted = seen if keys is None else seen & set(keys)
        for key in wanted:
            entry = self.model[key]
            was = entry.kind
            if verb == "hold":
                entry.held = True
            elif verb in ("release", "requeue"):
                entry.held = False
            if verb == "requeue" and not entry.leased:
                entry.due = 1.0
            if verb == "flush" and was == WAITING and entry.due > 1.0:
                entry.due = 1.0
            if verb == "delete":
                if entry.leased:
                    self.buried.add(key)
                else:
                    del self.model[key]
        if verb in ("delete", "requeue"):
            assert changed == wanted

    # --- what must be true

    @invariant()
    def the_queue_is_the_model(self):
        seen = {key: entry for key, entry in self.model.items() if key not in self.buried}
        for kind in (ACTIVE, WAITING, HELD):
            found = {m.key: m.attempts for m in self.shard.page(kind, -1, 999)}
            assert found == {key: e.attempts for key, e in seen.items() if e.kind == kind}
        reader = ShardReader(self.path)
        try:
            assert [m.key for m in reader.find()] == sorted(seen)
            assert reader.count() == len(seen)
            for message in reader.find():
                content = reader.content(message)
                assert b"".join(content.pieces()) == seen[message.key].body
        finally:
            reader.close()


Survival.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestSurvival = Survival.TestCase
