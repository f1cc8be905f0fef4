import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.filters import AddRecipient, ChangeSender, DeleteRecipient
from postroad.proto.content import is_clean
from postroad.proto.milter.codec import MilterError
from postroad.proto.milter.edits import AddHeader, ChangeHeader, Edits, InsertHeader, TooLarge

LIMIT = 1000


def taken(*packets, limit=LIMIT):
    edits = Edits(limit)
    for code, data in packets:
        assert edits.take(code, data)
    edits.finish()
    return edits


def body(*chunks):
    return b"".join(taken(*((b"b", chunk) for chunk in chunks)).body)


def test_header_edits():
    edits = taken((b"h", b"A\0 v\0"), (b"i", b"\0\0\0\x02B\0w\0"), (b"m", b"\0\0\0\0C\0\0"))
    assert edits.header == [AddHeader(b"A", b" v"), InsertHeader(2, b"B", b"w"), ChangeHeader(1, b"C", b"")]
    assert edits
    assert not Edits(LIMIT)


def test_envelope_edits():
    edits = taken(
        (b"e", b'<"a b"@example.net>\0RET=HDRS  X\0'),
        (b"e", b"<>\0"),
        (b"+", b"u@example.org\0"),
        (b"2", b'<"a b"@example.org>\0NOTIFY=NEVER\0'),
        (b"-", b"<u@example.org>\0"),
    )
    assert edits.envelope == [
        ChangeSender("a b@example.net", "RET=HDRS X"),
        ChangeSender(""),
        AddRecipient("u@example.org"),
        AddRecipient("a b@example.org", "NOTIFY=NEVER"),
        DeleteRecipient("u@example.org"),
    ]


def test_the_null_recipient_is_ignored():
    edits = taken((b"+", b"<>\0"))
    assert edits.envelope == []
    assert edits.ignored == ["ignoring attempt from Milter to add null recipient"]


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (b"h", b"\0v\0"), (b"h", b"Bad name\0v\0"), (b"h", b"A:\0v\0"), (b"h", b"A\r\n\0v\0"), (b"h", b"A\0v"),
        (b"i", b"\0\0\0"), (b"m", b"\0\0\0\x01A\0"), (b"+", b"a@b, c@d\0"), (b"+", b"<a b@c>\0"), (b"+", b""),
        (b"e", b"<a\r\nb@c>\0"), (b"+", b"x" * 1001 + b"\0"),
    ],
)  # fmt: skip
def test_edits_that_cannot_be(code, data):
    with pytest.raises(MilterError):
        Edits(LIMIT).take(code, data)


def test_other_packets_are_no_edits():
    assert not Edits(LIMIT).take(b"c", b"")
    assert not Edits(LIMIT).take(b"Z", b"x")


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([b"one\r\ntwo\r\n"], b"one\r\ntwo\r\n"),
        ([b"one\ntwo"], b"one\r\ntwo\r\n"),
        ([b"one\r", b"\ntwo\r\n"], b"one\r\ntwo\r\n"),
        ([b"one\r", b"two\r"], b"one two \r\n"),
        ([b"\r\n", b".\r", b"\n"], b"\r\n.\r\n"),
        ([b"a\n.\nb"], b"a\r\n.\r\nb\r\n"),
        ([b"a\r\r\nb"], b"a\r\nb\r\n"),
        ([b"a", b"\r\n"], b"a\r\n"),
        ([b""], b""),
    ],
)
def test_a_new_body_has_clean_lines(chunks, text):
    assert body(*chunks) == text


@given(st.lists(st.text("\r\n.a", max_size=6).map(str.encode), max_size=8))
def test_no_body_can_smuggle(chunks):
    found = body(b"", *chunks)
    assert is_clean(found)
    assert not found or found.endswith(b"\r\n")
    assert found.replace(b"\r\n", b"\n").count(b"\n") >= b"".join(chunks).count(b"\n")
    assert body(b"".join(chunks)) == found


def test_a_body_of_carriage_returns_costs_no_more_than_its_length():
    assert len(b"".join(taken((b"b", b"\r" * 500_000 + b"x"), limit=1 << 20).body)) == 500_003


def test_sizes_are_bounded():
    with pytest.raises(TooLarge):
        taken((b"b", b"x" * LIMIT), (b"b", b"x"))
    with pytest.raises(MilterError, match="too many changes"):
        taken(*[(b"h", b"A\0" + b"x" * 900_000 + b"\0")] * 2)
    with pytest.raises(MilterError, match="too many changes"):
        taken(*[(b"h", b"A\0v\0")] * 10_001)


@given(st.sampled_from([b"h", b"i", b"m", b"e", b"+", b"2", b"-", b"b"]), st.binary(max_size=60))
def test_any_data_is_an_edit_or_a_protocol_error(code, data):
    with contextlib.suppress(MilterError):
        taken((code, data))
