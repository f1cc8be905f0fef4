"""A message as it stands in a mailbox."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from postroad.delivery.mailbox.text import from_line, head_of, lf_pieces
from postroad.model.message import Text


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
