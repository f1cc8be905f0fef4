"""A shard as others see it: read without its lock, beside the process that serves it or without any."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.model.message import Content, Message, Text
from postroad.store.body import FileContent
from postroad.store.database import connect_reader, first, rows
from postroad.store.ledger import Pending
from postroad.store.listing import find, page
from postroad.store.replay import Replay, replay
from postroad.store.row import listed
from postroad.store.sql import QUEUE

_PAGE = 500  # rows that are read at once


class ShardReader:
    """Reads one shard.  Every method raises StoreUnavailable when it cannot.

    The journal is always read before the database: a message that moves between the two is seen in both,
    and counts once.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._seen: dict[int, Pending] | None = None
        try:
            self._db = connect_reader(directory / "queue.db")
        except apsw.Error as error:
            raise StoreUnavailable(f"cannot read the queue in {directory}: {error}") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def find(self, keys: Iterable[int] | None = None) -> list[Message]:
        """Return messages without contents, in order of arrival; None means all.

        Damaged ones are left out.
        """
        if keys is None:
            return list(self.each())
        with self._reading():
            return find(self._db, self._pending(), keys)

    def page(self, which: str, *, after: int, most: int) -> list[Message]:
        """Return the next messages of a kind: see ``Store.page``.  The journal is read once for all pages."""
        with self._reading():
            if self._seen is None:
                self._seen = self._pending()
            return page(self._db, self._seen, which, after, most)

    def each(self) -> Iterator[Message]:
        """Yield every message without its content, in order of arrival; few are in memory at a time."""
        after = -1
        while found := self.page("all", after=after, most=_PAGE):
            yield from found
            after = found[-1].key

    def count(self) -> int:
        """Return how many messages there are."""
        with self._reading():
            pending = self._pending()
            twice = len(rows(self._db, QUEUE["find"], {"keys": listed(pending)})) if pending else 0
            return int(first(self._db, QUEUE["count"])[0]) + len(pending) - twice

    def content(self, message: Message) -> Content | None:
        """Return a message's content, None when it has lost it."""
        found = self.stored(message) or self._journalled(message.key)
        return found or self.stored(message)  # it may have moved while we looked

    def stored(self, message: Message) -> Content | None:
        """Return a content that is in the database or a file, None if it is not."""
        try:
            row = self._db.execute(QUEUE["content"], {"key": message.key}).fetchone()
        except apsw.Error as error:
            raise StoreUnavailable(f"cannot read {message.id}: {error}") from error
        if row is not None:
            if row[1] is not None and zlib.crc32(row[0]) != row[1]:
                raise StoreUnavailable(f"the content of {message.id} is damaged")
            return Text(row[0])
        path = self.directory / "bodies" / id_of(message.key)
        return FileContent(str(path), message.size) if path.exists() else None

    def _journalled(self, key: int) -> Content | None:
        with self._reading(), closing(self._replay()) as found:
            pending = found.ledger.messages.get(key)
            if pending is None or pending.size < 0:
                return None
            data = found.read(pending.file, pending.at, pending.size, pending.checksum)
            return None if data is None else Text(data)

    def _pending(self) -> dict[int, Pending]:
        """Return the messages that are in the journal."""
        found = self._replay()
        found.close()
        return found.ledger.messages

    def _replay(self) -> Replay:
        return replay(self.directory, dict(rows(self._db, QUEUE["settled"])), closely=False)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            raise StoreUnavailable(f"cannot read the queue in {self.directory}: {error}") from error


def shards(queue_directory: Path) -> list[Path]:
    """Return the directories of all shards of a queue, by number.  StoreUnavailable when it cannot look."""
    try:
        found = [path for path in queue_directory.glob("shard-*") if (path / "queue.db").exists()]
    except OSError as error:
        raise StoreUnavailable(f"cannot read {queue_directory}: {error.strerror}") from error
    return sorted(found, key=lambda path: (len(path.name), path.name))
