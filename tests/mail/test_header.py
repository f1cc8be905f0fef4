import re
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail import header

BLOCK = b"From: a\r\nTo: b,\r\n\tc\r\nfrom : d\r\n"


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"", 0),
        (b"\r\nbody\r\n", 0),
        (b"A: b\r\n\r\nC: d\r\n", 6),
        (b"A: b\r\n c\r\n\td\r\n\r\n", 14),
        (b"A: b\r\nwords\r\n", 6),
        (b"A :b\r\n\r\n", 6),
        (b"A b: c\r\n", 0),
        (b" A: c\r\n", 0),
        (b":\r\n", 0),
        (b"A:\r\n", 4),
        (b"A: no end", 0),
        (b"\xc3\xa4: b\r\n", 0),
        (b"A\0: b\r\n", 0),
        (b"A: b\r\n \r\nC: d\r\n", 15),
        (b"just words here\r\nmore words\r\n", 0),
        (b"A: b\r\njust words here\r\n", 6),
        (b"A: b\r\n c\r\n no end", 10),
    ],
)
def test_a_header_ends_at_the_first_line_that_is_no_field(content, end):
    assert header.block_end(content) == end


def test_a_header_may_go_on_while_no_whole_line_follows():
    assert not header.is_complete(b"A: b\r\n", 6)
    assert not header.is_complete(b"A: b\r\n\r", 6)
    assert header.is_complete(b"A: b\r\n\r\n", 6)
    assert header.is_complete(b"A: b\r\nwords\n", 6)


def test_fields_keep_their_bytes():
    assert [(f.name, f.raw, f.body) for f in header.fields(BLOCK)] == [
        (b"from", b"From: a\r\n", b" a\r\n"),
        (b"to", b"To: b,\r\n\tc\r\n", b" b,\r\n\tc\r\n"),
        (b"from", b"from : d\r\n", b" d\r\n"),
    ]


@given(st.lists(st.tuples(st.sampled_from([b"A", b"b-C", b"x"]), st.binary(max_size=20)), max_size=8))
def test_fields_put_together_are_the_header(pairs):
    block = b"".join(
        name + b":" + value.replace(b"\r", b"").replace(b"\n", b"\r\n ") + b"\r\n" for name, value in pairs
    )
    assert header.block_end(block) == len(block)
    assert b"".join(f.raw for f in header.fields(block)) == block


def test_the_body_begins_behind_the_empty_line():
    assert header.body_at(b"A: b\r\n\r\nx") == 8
    assert header.body_at(b"A: b\r\nx\r\n") == 6
    assert header.body_at(b"x\r\n") == 0


def test_find_gives_the_first_value_unfolded():
    assert header.find(BLOCK, b"to") == b"b,\tc"
    assert header.find(BLOCK, b"from") == b"a"
    assert header.find(BLOCK, b"cc") is None


def test_without_leaves_the_others_untouched():
    assert header.without(BLOCK, b"from") == b"To: b,\r\n\tc\r\n"
    assert header.without(BLOCK, b"x") == BLOCK


def test_with_field_adds_at_the_end():
    assert header.with_field(b"A: b\r\n", b"C", b"d") == b"A: b\r\nC: d\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [(b"A", b"b\r\nC: d"), (b"A", b"b\nC"), (b"A", b"b\rC"), (b"A:B", b"c\n"), (b"A B", b"c")],
)
def test_with_field_refuses_what_would_make_other_fields(name, value):
    with pytest.raises(ValueError, match="not a header field"):
        header.with_field(b"", name, value)


@pytest.mark.parametrize(
    ("raw", "limit", "expected"),
    [
        (b"A: b\r\n", 100, b"A: b\r\n"),
        (b"A: " + b"x" * 97 + b"\r\n", 50, b"A: " + b"x" * 47 + b"\r\n"),
        (b"A: b\r\n cc\r\n dd\r\n ee\r\n", 12, b"A: b\r\n cc\r\n dd\r\n"),
        (b"A: b\r\n cc\r\n dd\r\n ee\r\n", 14, b"A: b\r\n cc\r\n dd\r\n"),
        (b"A: b\r\n" + b" " + b"c" * 50 + b"\r\n", 30, b"A: b\r\n " + b"c" * 24 + b"\r\n"),
    ],
)
def test_a_field_too_large_loses_the_excess(raw, limit, expected):
    assert header.truncated(raw, limit) == expected


def test_no_pattern_has_a_possessive_group():
    """Before Python 3.11.5 such a group may end in the middle of a repetition that failed (gh-106052)."""
    root = Path(header.__file__).parents[1]
    found = []
    for path in root.rglob("*.py"):
        with path.open("rb") as lines:
            for token in tokenize.tokenize(lines.readline):
                raw = token.type == tokenize.STRING and "r" in token.string[:2].lower()
                if raw and re.search(r"(?<!\\)\)[*+?]\+", re.sub(r"\[(?:\\.|[^\]\\])*\]", "x", token.string)):
                    found.append(f"{path}:{token.start[0]}: {token.string}")
    assert found == []
