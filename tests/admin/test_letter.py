import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.admin.letter import LetterTooLarge, LineEnds, read_letter


class Trickle(io.RawIOBase):
    """An input that gives a few bytes at a time."""

    def __init__(self, data, size):
        self._data, self._size = data, size

    def read(self, size=-1):
        piece, self._data = self._data[: self._size], self._data[self._size :]
        return piece


def text_of(data, **options):
    letter = read_letter(io.BytesIO(data), **options)
    text = b"".join(letter.pieces())
    assert len(text) == letter.size
    letter.close()
    return text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"A: b\n\nx\n", b"A: b\r\n\r\nx\r\n"),
        (b"A: b\n\nx", b"A: b\r\n\r\nx\r\n"),
        (b"A: b\r\n\r\nx\r\n", b"A: b\r\n\r\nx\r\n"),
        (b"A: b\n\nx\r\r\n", b"A: b\r\n\r\nx\r\n"),
        (b"A: b\n\nx\ry\n", b"A: b\r\n\r\nx\ry\r\n"),
        (b"A: b\n\n.x\n..\n", b"A: b\r\n\r\n.x\r\n..\r\n"),
        (b"A: b\n\nx\n.\ny\n", b"A: b\r\n\r\nx\r\n"),
        (b".\nA: b\n", b""),
        (b"A: b\n\nx\n.", b"A: b\r\n\r\nx\r\n"),
        (b"From me Mon\n>From you\nA: b\n\nFrom x\n", b"A: b\r\n\r\nFrom x\r\n"),
        (b"no header\n", b"\r\nno header\r\n"),
        (b"A: b\nno header\n", b"A: b\r\n\r\nno header\r\n"),
        (b"A: b\n", b"A: b\r\n"),
        (b"\nbody\n", b"\r\nbody\r\n"),
        (b"", b""),
    ],
)
def test_lines_become_those_of_the_network(data, expected):
    assert text_of(data) == expected


def test_a_dot_does_not_end_the_message_when_it_shall_not():
    assert text_of(b"A: b\n\nx\n.\ny\n", dot_ends=False) == b"A: b\r\n\r\nx\r\n.\r\ny\r\n"


@pytest.mark.parametrize(
    ("mode", "data", "expected"),
    [
        (LineEnds.STRICT, b"A: b\r\n\r\nx\n", b"A: b\r\n\r\nx\r\n"),
        (LineEnds.STRICT, b"A: b\n\nx\r\n", b"A: b\r\n\r\nx\r\r\n"),
        (LineEnds.NEVER, b"A: b\n\nx\r\n", b"A: b\r\n\r\nx\r\r\n"),
    ],
)
def test_crlf_is_a_line_end_as_configured(mode, data, expected):
    assert text_of(data, line_ends=mode) == expected


@given(
    st.lists(st.sampled_from([b"\n", b"\r", b".", b"From ", b"A: b", b"x"])), st.integers(1, 5), st.booleans()
)
def test_where_the_input_is_cut_does_not_matter(pieces, size, dot_ends):
    data = b"".join(pieces)
    whole = text_of(data, dot_ends=dot_ends)
    letter = read_letter(Trickle(data, size), dot_ends=dot_ends)
    assert b"".join(letter.pieces()) == whole
    assert b"\n" not in whole.replace(b"\r\n", b"")
    letter.close()


def test_a_large_message_comes_out_as_it_went_in():
    line = b"x" * 99 + b"\n"
    data = b"A: b\n\n" + line * 30_000
    assert text_of(data) == data.replace(b"\n", b"\r\n")


@pytest.mark.parametrize("data", [b"A: b\n\n" + b"x\n" * 100, b"x" * 200])
def test_a_message_over_the_limit_is_refused(data):
    with pytest.raises(LetterTooLarge):
        read_letter(io.BytesIO(data), limit=150)


def test_a_message_at_the_limit_is_taken():
    assert len(text_of(b"A: b\n\nx\n", limit=11)) == 11


def test_a_header_that_is_too_large_to_be_looked_at_is_refused(monkeypatch):
    monkeypatch.setattr("postroad.admin.letter.HEADER_LIMIT", 20)
    assert text_of(b"A: b\nC: d\n\n" + b"x\n" * 50).startswith(b"A: b\r\nC: d\r\n\r\nx\r\n")
    with pytest.raises(LetterTooLarge, match="header"):
        text_of(b"A: b\nC: defghijklmnopqrst\n\nx\n")


def test_blind_recipients_are_removed_and_nothing_else():
    letter = read_letter(io.BytesIO(b"To: a\nBcc: b,\n c\nresent-bcc: d\nX: y\n\nBcc: body\n"))
    letter.drop_blind_recipients()
    assert b"".join(letter.pieces()) == b"To: a\r\nX: y\r\n\r\nBcc: body\r\n"
    letter.close()


@pytest.mark.parametrize(
    ("data", "added"),
    [
        (b"To: a\n\nx\n", b"From: me\r\n"),
        (b"From: you\n\nx\n", b""),
        (b"From: you\nResent-To: a\n\nx\n", b"Resent-From: me\r\n"),
        (b"just text\n", b"From: me\r\n"),
    ],
)
def test_an_author_is_added_where_there_is_none(data, added):
    letter = read_letter(io.BytesIO(data))
    before = letter.header
    letter.add_author("me")
    assert letter.header == before + added
    text = b"".join(letter.pieces())
    assert text.startswith(before + added + b"\r\n")
    assert len(text) == letter.size
    letter.close()
