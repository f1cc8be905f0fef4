"""One batch of the journal as bytes: a head, the entries, the contents of its new messages.

The head and the entries have checksums, and each content has one among the entries, so a batch that
a crash cut short is told from one that was written whole.  Behind the last batch of a file stand
contents of its former use, which are strangers' bytes: a random ``salt``, new with each use, keeps
what a stranger made to look like a batch from being taken for one.  Entries are MessagePack, each a
tuple that begins with its kind:

    (NEW, key, due, leased, held, envelope, size, checksum)   size -1: the content is a file
    (DONE, key)          the message has left, or has moved to the database
    (RETRY, key, due, envelope)
    (PROGRESS, key, envelope)
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

NEW, DONE, RETRY, PROGRESS = range(4)
Entry = tuple[Any, ...]

_MAGIC = b"postrd-1"  # another format needs a migration too, so that an older program refuses the queue
_MARK = struct.Struct("<8sQQ")  # magic, generation, salt: what all heads of one use of a file begin with
_HEAD = struct.Struct("<8sQQQIIQ")  # and sequence, size and checksum of the entries, size of the contents
HEAD_SIZE = _HEAD.size + 4  # and the head's own checksum
ENTRIES_MAX = 1 << 28  # bytes; what a head may make a reader take at most

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode


class Head(NamedTuple):
    """The head of a batch.  ``generation`` counts the uses of the files, ``sequence`` the batches."""

    generation: int
    salt: int
    sequence: int
    entries: int  # bytes
    checksum: int
    contents: int  # bytes

    @property
    def size(self) -> int:
        """Return the whole batch's size in bytes."""
        return HEAD_SIZE + self.entries + self.contents


def mark(generation: int, salt: int) -> bytes:
    """Return what all heads of one use of a file begin with."""
    return _MARK.pack(_MAGIC, generation, salt)


def encode(generation: int, salt: int, sequence: int, entries: Sequence[Entry], contents: int) -> bytes:
    """Return head and entries; ``contents`` bytes of contents are to follow them.

    OSError when there is more than a reader would take: nothing may be written that cannot be read.
    """
    packed = _encode(entries)
    if len(packed) > ENTRIES_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    head = _HEAD.pack(_MAGIC, generation, salt, sequence, len(packed), zlib.crc32(packed), contents)
    return head + zlib.crc32(head).to_bytes(4, "little") + packed


def decode_head(data: bytes) -> Head | None:
    """Return the head that ``data`` begins with, None if that is none."""
    if len(data) < HEAD_SIZE or zlib.crc32(data[: _HEAD.size]) != int.from_bytes(
        data[_HEAD.size : HEAD_SIZE], "little"
    ):
        return None
    magic, *values = _HEAD.unpack_from(data)
    head = Head(*values)
    return head if magic == _MAGIC and head.entries <= ENTRIES_MAX else None


def decode_entries(head: Head, data: bytes) -> list[Entry] | None:
    """Return the entries, None if they are not what was written."""
    if len(data) != head.entries or zlib.crc32(data) != head.checksum:
        return None
    try:
        return _decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None


def contents_of(entries: Sequence[Entry]) -> Iterator[tuple[int, int, int]]:
    """Yield (where it begins among the contents, size, checksum) of each content."""
    at = 0
    for entry in entries:
        if entry[0] == NEW and entry[6] >= 0:
            yield at, entry[6], entry[7]
            at += entry[6]
