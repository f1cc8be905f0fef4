from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.inbox import PATIENCE, Inbox


def test_lines_come_without_their_ends():
    inbox = Inbox(100)
    inbox.add(b"a\r\nb\nc\r\r\nd")
    assert [inbox.line(), inbox.bare] == [b"a", False]
    assert [inbox.line(), inbox.bare] == [b"b", True]
    assert [inbox.line(), inbox.bare] == [b"c", False]
    assert inbox.line() is None
    assert len(inbox) == 1
    inbox.add(b"e\r\n")
    assert inbox.line() == b"de"


def test_octets_can_be_taken_between_lines():
    inbox = Inbox(100)
    inbox.add(b"BDAT 3\r\nabcNOOP\r\nrest")
    assert inbox.line() == b"BDAT 3"
    assert inbox.peek(5) == b"abcNO"
    assert inbox.take(3) == b"abc"
    assert inbox.line() == b"NOOP"
    assert inbox.take() == b"rest"
    assert len(inbox) == 0
    assert inbox.take(5) == b""


@given(st.lists(st.binary(max_size=6), max_size=20), st.integers(3, 12))
def test_cutting_does_not_matter(pieces, limit):
    whole, parts = Inbox(limit), Inbox(limit)
    whole.add(b"".join(pieces))
    expected, got = [], []
    while (line := whole.line()) is not None:
        expected.append(line)
    for piece in pieces:
        parts.add(piece)
        while (line := parts.line()) is not None:
            got.append(line)
    assert got == expected


def test_a_long_line_is_cut_and_the_next_one_whole():
    inbox = Inbox(5)
    inbox.add(b"123456789\r\nabc\r\n")
    assert inbox.line() == b"12345"
    assert inbox.long == b"12345"
    assert inbox.line() == b"abc"


def test_a_line_of_just_the_limit_is_not_long():
    inbox = Inbox(5)
    inbox.add(b"1234\r\n")
    assert inbox.line() == b"1234"
    assert not inbox.long


def test_patience_with_an_endless_line_has_an_end():
    inbox = Inbox(5)
    for _ in range(PATIENCE // 65536 + 2):
        inbox.add(b"x" * 65536)
        assert inbox.line() is None
        assert len(inbox) == 0
    assert inbox.endless


def test_many_short_lines_take_linear_time():
    inbox = Inbox(100)
    inbox.add(b"N\r\n" * 400_000)
    begun = time.process_time()
    while inbox.line() is not None:
        pass
    assert time.process_time() - begun < 5


def test_clear_drops_everything():
    inbox = Inbox(3)
    inbox.add(b"123456")
    assert inbox.line() is None
    inbox.clear()
    inbox.add(b"a\r\n")
    assert inbox.line() == b"a"
