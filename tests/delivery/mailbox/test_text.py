"""A message as it stands in a mailbox."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from postroad.delivery.mailbox.text import from_line, head_of, lf_pieces
from postroad.model.message import Text
from postroad.proto.content import ContentReader
from postroad.proto.options import BareNewline


class Cut:
    """A content in pieces of one's own choice."""

    data = None

    def __init__(self, data, cuts):
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        self._pieces = [data[a:b] for a, b in itertools.pairwise(places)]
        self.size = len(data)

    def pieces(self, size=0):
        yield from self._pieces


def whole(content, **how):
    return b"".join(lf_pieces(content, **how))


def test_lines_end_with_lf():
    assert whole(Text(b"a\r\n\r\nb\r\n")) == b"a\n\nb\n"


@given(
    st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"x", b"From "]), max_size=12),
    st.lists(st.integers(0, 40), max_size=4),
    st.sampled_from(BareNewline),
    st.booleans(),
    st.booleans(),
)
def test_what_the_wire_calls_plain_has_no_carriage_return_but_in_line_ends(words, cuts, mode, dots, replace):
    reader = ContentReader(mode, dots=dots, replace_stray_cr=replace, line_limit=8)
    pieces = Cut(b"".join(words) + b"\r\n.\r\n", cuts).pieces()
    text = b"".join(reader.feed(piece) for piece in pieces)
    assert not reader.plain or whole(Text(text, plain=True)) == whole(Text(text))


def test_an_mbox_quotes_lines_that_begin_with_from_and_a_blank():
    text = Text(b"From me\r\nFromage\r\n\r\nFrom you\r\nsaid From x\r\nFrom \r\n")
    assert whole(text, quote_from=True) == b">From me\nFromage\n\n>From you\nsaid From x\n>From \n"
    assert whole(text) == b"From me\nFromage\n\nFrom you\nsaid From x\nFrom \n"


@given(
    st.lists(st.sampled_from([b"From ", b"From", b"\r\n", b"x", b"Fr", b">", b"F"]), max_size=12),
    st.lists(st.integers(0, 80), max_size=6),
    st.booleans(),
)
def test_how_a_content_is_cut_never_matters(words, cuts, quote):
    data = b"".join(words) + b"\r\n"
    assert whole(Cut(data, cuts), quote_from=quote) == whole(Text(data), quote_from=quote)


def test_the_fields_in_front_are_postfix_s():
    assert head_of("a@example.net", "info@box.test", "bob@box.test") == (
        b"Return-Path: <a@example.net>\nX-Original-To: info@box.test\nDelivered-To: bob@box.test\n"
    )
    assert head_of("", "", "a b@box.test") == b'Return-Path: <>\nDelivered-To: "a b"@box.test\n'


def test_addresses_are_written_as_they_are_or_quoted():
    head = head_of("a\u00e9@example.net", "b@x", "b@x")
    assert head == "Return-Path: <a\u00e9@example.net>\nX-Original-To: b@x\nDelivered-To: b@x\n".encode()


def test_an_address_cannot_add_a_line():
    head = head_of("a\r\nX: y@e.net", "b\n@x", "c\0@x")
    assert head.count(b"\n") == 3
    assert b"\r" not in head
    assert b"\0" not in head


def test_the_from_line_has_the_sender_and_the_time():
    line = from_line("a@example.net", 0.0)
    assert line.startswith(b"From a@example.net  ")
    assert line.endswith(b" 19%d\n" % (70 if b"1970" in line else 69))
    assert from_line("", 0.0).startswith(b"From MAILER-DAEMON  ")
