import zlib

import pytest

from postroad.store import batch
from postroad.store.batch import (
    DONE,
    HEAD_SIZE,
    NEW,
    PROGRESS,
    RETRY,
    contents_of,
    decode_entries,
    decode_head,
    encode,
    mark,
)

ENTRIES = [
    (NEW, 1, 5.0, True, 0, b"envelope", 3, zlib.crc32(b"abc")),
    (NEW, 2, 5.0, False, 1, b"\x00\xff", -1, 0),
    (NEW, 3, 5.0, True, 0, b"", 0, 0),
    (NEW, 1 << 62, 5.0, True, 0, b"", 4, zlib.crc32(b"defg")),
    (DONE, 7),
    (RETRY, 8, 1.5, b"e"),
    (PROGRESS, 9, b"p"),
]


def test_a_batch_comes_back_as_it_was_written():
    data = encode(3, 1 << 63, 12, ENTRIES, 7)
    head = decode_head(data)
    assert (head.generation, head.salt, head.sequence, head.contents) == (3, 1 << 63, 12, 7)
    assert head.size == len(data) + 7
    assert [tuple(entry) for entry in decode_entries(head, data[HEAD_SIZE:])] == ENTRIES
    assert data.startswith(mark(3, 1 << 63))


def test_a_head_that_is_cut_or_changed_anywhere_is_none():
    data = encode(3, 4, 12, ENTRIES, 7)
    for at in range(HEAD_SIZE):
        assert decode_head(data[:at]) is None
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert decode_head(bytes(changed)) is None
    assert decode_head(bytes(4096)) is None


def test_entries_that_are_cut_or_changed_anywhere_are_none():
    data = encode(3, 4, 12, ENTRIES, 7)
    head, packed = decode_head(data), data[HEAD_SIZE:]
    for at in range(len(packed)):
        assert decode_entries(head, packed[:at]) is None
        changed = bytearray(packed)
        changed[at] ^= 1
        assert decode_entries(head, bytes(changed)) is None


@pytest.mark.parametrize("packed", [b"\xc1", b"\x93\x01\x02\x03", b"\x91"])
def test_bytes_with_the_right_checksum_that_are_no_entries_are_none(packed):
    head = batch.Head(1, 2, 3, len(packed), zlib.crc32(packed), 0)
    assert decode_entries(head, packed) is None


def test_what_no_reader_would_take_is_not_written(monkeypatch):
    monkeypatch.setattr(batch, "ENTRIES_MAX", 100)
    encode(1, 2, 3, [(PROGRESS, 9, b"x" * 80)], 0)
    with pytest.raises(OSError, match="File too large"):
        encode(1, 2, 3, [(PROGRESS, 9, b"x" * 100)], 0)


def test_a_head_that_asks_for_too_much_is_none(monkeypatch):
    data = encode(1, 2, 3, [(PROGRESS, 9, b"x" * 100)], 0)
    monkeypatch.setattr(batch, "ENTRIES_MAX", 100)
    assert decode_head(data) is None


def test_contents_follow_one_another_and_files_take_no_room():
    assert list(contents_of(ENTRIES)) == [
        (0, 3, zlib.crc32(b"abc")),
        (3, 0, 0),
        (3, 4, zlib.crc32(b"defg")),
    ]
