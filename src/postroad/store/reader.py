"""A shard as others see it: read without its lock, beside the process that serves it or without any."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import apsw

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.model.message import Content, Message, Text
from postroad.store.body import FileContent
from postroad.store.database import connect_reader, first
from postroad.store.envelope import DamagedEnvelope
from postroad.store.row import listed, message_of
from postroad.store.sql import QUEUE


class ShardReader:
    """Reads one shard.  Every method raises StoreUnavailable when it cannot."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
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
        found = []
        try:
            for row in self._db.execute(*_selection(keys)):
                try:
                    found.append(message_of(row))
                except DamagedEnvelope:
                    continue  # the server moves it aside when its time comes
        except apsw.Error as error:
            raise StoreUnavailable(f"cannot read the queue in {self.directory}: {error}") from error
        return found

    def count(self) -> int:
        """Return how many messages there are."""
        try:
            return int(first(self._db, QUEUE["count"])[0])
        except apsw.Error as error:
            raise StoreUnavailable(f"cannot read the queue in {self.directory}: {error}") from error

    def content(self, message: Message) -> Content | None:
        """Return a message's content, None when it has lost it."""
        try:
            row = self._db.execute(QUEUE["content"], {"key": message.key}).fetchone()
        except apsw.Error as error:
            raise StoreUnavailable(f"cannot read {message.id}: {error}") from error
        if row is not None:
            return Text(row[0])
        path = self.directory / "bodies" / id_of(message.key)
        return FileContent(str(path), message.size) if path.exists() else None


def _selection(keys: Iterable[int] | None) -> tuple[str, dict[str, str]]:
    if keys is None:
        return QUEUE["find_all"], {}
    return QUEUE["find"], {"keys": listed(keys)}


def shards(queue_directory: Path) -> list[Path]:
    """Return the directories of all shards of a queue, by number.  StoreUnavailable when it cannot look."""
    try:
        found = [path for path in queue_directory.glob("shard-*") if (path / "queue.db").exists()]
    except OSError as error:
        raise StoreUnavailable(f"cannot read {queue_directory}: {error.strerror}") from error
    return sorted(found, key=lambda path: (len(path.name), path.name))
