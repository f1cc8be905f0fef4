from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.proto.content import ContentReader, is_clean, is_whole
from postroad.proto.options import BareNewline

ODD = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\0", b"a", b" ", b"\r\n", b"\r\n.\r\n"]), max_size=30
).map(b"".join)
MODES = st.sampled_from([BareNewline.ALLOW, BareNewline.NORMALIZE])


def by_lines(data, mode):
    """Say the same line by line: the content, what follows its end (None: no end), whether LF was bare."""
    lines, at, bare, before = [], 0, False, False
    while (end := data.find(b"\n", at)) >= 0:
        raw, at = data[at:end], end + 1
        lone = not raw.endswith(b"\r")
        bare = bare or lone
        line = raw.rstrip(b"\r")
        if line == b".":
            if mode is not BareNewline.ALLOW and (lone or before or raw != b".\r"):
                before = lone
                continue  # an end that another server could have taken for one: it is dropped
            return b"".join(lines), data[at:], bare
        before = lone
        line = line.removeprefix(b".").replace(b"\r", b" ")
        if not lines and line.startswith((b" ", b"\t")):
            lines.append(b"\r\n")
        lines.append(line + b"\r\n")
    return b"".join(lines), None, bare


def read(pieces, mode, **options):
    reader = ContentReader(mode, **options)
    out = []
    for number, piece in enumerate(pieces):
        out.append(reader.feed(piece))
        if reader.done:
            return b"".join(out), reader.rest + b"".join(pieces[number + 1 :]), reader.bare
    return b"".join(out), None, reader.bare


def cut(data, places):
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


@given(ODD, MODES, st.lists(st.integers(0, 100), max_size=8))
@settings(max_examples=400)
def test_however_the_bytes_are_cut_it_reads_what_a_reader_of_lines_reads(data, mode, places):
    assert read(cut(data, places), mode) == by_lines(data, mode)


CLEAN = st.lists(
    st.sampled_from([b"a\r\n", b"\r\n", b".", b">", b"From ", b" ", b"\0\xff", b"\r\n.\r\n"]), max_size=8
).map(b"".join)


@given(CLEAN | ODD, MODES, st.integers(0, 100))
@settings(max_examples=400)
def test_a_message_in_one_piece_is_read_like_one_in_two(data, mode, place):
    data += b"\r\n.\r\n"

    def facts(pieces):
        reader = ContentReader(mode)
        text, rest = b"", b""
        for piece in pieces:
            if reader.done:
                rest += piece
            else:
                text += reader.feed(piece)
        assert reader.size == len(text)
        return (text, reader.rest + rest, reader.done, reader.bare), reader.plain

    whole, plain = facts([data])
    pieces, plain_in_pieces = facts(cut(data, [place]))
    assert whole == pieces
    assert plain >= plain_in_pieces  # a cut may hide it


@pytest.mark.parametrize("line_ends", list(itertools.product([b"\r", b"\n", b"x", b"\0"], repeat=4)))
def test_clean_text_has_cr_and_lf_only_together(line_ends):
    text = b"".join(line_ends)
    pairs = text.count(b"\r\n")
    assert is_clean(text) == (text.count(b"\r") == text.count(b"\n") == pairs)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"x", b"From ", b".", b" ", b"\r\n", b""]), ODD, MODES)
def test_a_whole_message_is_what_a_reader_finds(beginning, odd, mode):
    data = beginning + odd + b"\r\n.\r\n"
    if is_whole(data):
        reader = ContentReader(mode)
        assert reader.feed(data) == data[:-3]
        assert (reader.done, reader.rest, reader.bare, reader.plain) == (True, b"", False, True)


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"Subject: x\r\n\r\ntext. more\r\n.\r\n", True),
        (b"\r\n.\r\n", True),
        (b".\r\n", False),
        (b"x\r\n", False),
        (b"x\r\n.\r\nNOOP\r\n", False),
        (b"x\r\n.\r\ny\r\n.\r\n", False),
        (b"x\r\n..\r\n.\r\n", False),
        (b"x\ny\r\n.\r\n", False),
        (b"x\ry\r\n.\r\n", False),
        (b"x\n\r\n.\r\n", False),
        (b" x\r\n.\r\n", False),
        (b">From x\r\n.\r\n", False),
        (b"From x\r\n.\r\n", False),
        (b"From: x\r\n.\r\n", True),
    ],
)
def test_only_a_message_that_stays_as_it_is_counts_as_whole(data, whole):
    assert is_whole(data) is whole


@pytest.mark.parametrize("mode", [BareNewline.ALLOW, BareNewline.NORMALIZE])
def test_every_short_string_of_line_ends_and_dots_is_read_alike_whole_and_by_bytes(mode):
    for length in range(6):
        for odd in itertools.product([b"\r", b"\n", b".", b"\0"], repeat=length):
            data = b"x" + b"".join(odd) + b"y\r\n.\r\nNOOP\r\n"
            expected = by_lines(data, mode)
            assert read([data], mode) == expected
            if length < 4:
                assert read([data[i : i + 1] for i in range(len(data))], mode) == expected


def test_nothing_that_leaves_could_end_a_message_for_anyone_else():
    for length in range(6):
        for odd in itertools.product([b"\r", b"\n", b"."], repeat=length):
            text, rest, _ = read([b"x" + b"".join(odd) + b"y\r\n.\r\n"], BareNewline.NORMALIZE)
            assert text.count(b"\r\n") == text.count(b"\r") == text.count(b"\n")
            assert rest is not None


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r\n",
        b"\r.\r",
        b"\n.\r",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
    ],
)
def test_only_crlf_dot_crlf_ends_a_message(end):
    text, rest, _ = read(
        [b"one" + end + b"MAIL FROM:<evil@example.net>\r\n.\r\nQUIT\r\n"], BareNewline.NORMALIZE
    )
    assert rest == b"QUIT\r\n"
    assert b"MAIL FROM:<evil@example.net>\r\n" in text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b".\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...a\r\n.\r\n", b"..a\r\n"),
        (b".b\r\n.\r\n", b"b\r\n"),
        (b"a.\r\n..\r\n.\r\n", b"a.\r\n.\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n"),
        (b"a\rb\r\n.\r\n", b"a b\r\n"),
        (b"a\0b\xff\r\n.\r\n", b"a\0b\xff\r\n"),
        (
            b"From me\r\n>From you\r\nA: b\r\n.\r\n",
            b"X-Mailbox-Line: From me\r\nX-Mailbox-Line: >From you\r\nA: b\r\n",
        ),
        (b".From me\r\nA: b\r\n.\r\n", b"From me\r\nA: b\r\n"),
        (b".>From me\r\r\n.\r\n", b">From me\r\n"),
        (b" A: b\r\n.\r\n", b"\r\n A: b\r\n"),
        (b". A: b\r\n.\r\n", b"\r\n A: b\r\n"),
        (b"\r\nFrom me\r\n.\r\n", b"\r\nFrom me\r\n"),
    ],
)
def test_dots_and_odd_beginnings_become_what_postfix_makes_of_them(sent, kept):
    for pieces in ([sent], [sent[i : i + 1] for i in range(len(sent))]):
        assert read(pieces, BareNewline.NORMALIZE) == (kept, b"", False)


@pytest.mark.parametrize("end", [b".\r\r\n", b".\r\r\r\n"])
def test_a_dot_with_more_than_one_carriage_return_ends_nothing(end):
    sent = b"a\r\n" + end + b"MAIL FROM:<evil@example.net>\r\n.\r\n"
    for pieces in ([sent], [sent[i : i + 1] for i in range(len(sent))]):
        assert read(pieces, BareNewline.NORMALIZE) == (b"a\r\nMAIL FROM:<evil@example.net>\r\n", b"", False)
        assert read(pieces, BareNewline.REJECT)[1] == b""
        assert read(pieces, BareNewline.NORMALIZE, strict_end=False) == (
            b"a\r\n", b"MAIL FROM:<evil@example.net>\r\n.\r\n", False,
        )  # fmt: skip
        assert read(pieces, BareNewline.ALLOW)[1] == b"MAIL FROM:<evil@example.net>\r\n.\r\n"


def test_stray_carriage_returns_stay_when_the_operator_wants_them():
    assert read([b"a\rb\r\n.\r\n"], BareNewline.NORMALIZE, replace_stray_cr=False)[0] == b"a\rb\r\n"


@given(
    st.integers(1, 12), st.lists(st.sampled_from([b"a", b".", b"\r\n"]), max_size=60).map(b"".join), st.data()
)
def test_a_long_line_passes_in_pieces_and_is_not_changed(limit, data, draw):
    pieces = cut(data + b"\r\n.\r\n", draw.draw(st.lists(st.integers(0, 80), max_size=20)))
    assert (
        read(pieces, BareNewline.NORMALIZE, line_limit=limit)[:2]
        == by_lines(data + b"\r\n.\r\n", BareNewline.NORMALIZE)[:2]
    )


def test_a_line_without_end_takes_no_memory():
    reader = ContentReader()
    for _ in range(64):
        assert len(reader.feed(b"a" * 65536)) >= 65530
        assert reader.pending <= 2048
    reader = ContentReader()
    for _ in range(64):
        reader.feed(b"\r" * 65536)
        assert reader.pending <= 2048


def test_dots_mean_nothing_in_chunks_and_the_last_line_gets_its_end():
    reader = ContentReader(dots=False)
    text = reader.feed(b"a\r\n.\r\n..b\nc") + reader.finish()
    assert text == b"a\r\n.\r\n..b\r\nc\r\n"
    assert reader.bare
    assert not reader.done
    assert reader.size == len(text)


def test_chunks_that_end_with_a_line_get_nothing_added():
    reader = ContentReader(dots=False)
    assert reader.feed(b"a\r\n") + reader.finish() == b"a\r\n"
    empty = ContentReader(dots=False)
    assert empty.finish() == b""


@given(ODD, st.lists(st.integers(0, 100), max_size=8))
def test_chunks_may_be_cut_anywhere(data, places):
    whole, pieces = ContentReader(dots=False), ContentReader(dots=False)
    expected = whole.feed(data) + whole.finish()
    assert b"".join(pieces.feed(piece) for piece in cut(data, places)) + pieces.finish() == expected
    assert expected.count(b"\r\n") == expected.count(b"\r") == expected.count(b"\n")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b".", b"..", b"", b"x" * 40, b"\r", b"a\rb", b".a"]), max_size=8),
    st.sampled_from([b"\r\n", b"\n"]),
    st.data(),
)
def test_what_is_called_plain_needs_no_encoding_to_be_sent_on(lines, end, data):
    from postroad.proto.client_content import ContentEncoder

    wire = b"".join((b"." + line if line.startswith(b".") else line) + end for line in lines) + b".\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(wire)), max_size=4)) | {0, len(wire)})
    reader = ContentReader()
    text = b"".join(reader.feed(wire[a:b]) for a, b in itertools.pairwise(cuts) if not reader.done)
    if reader.done and reader.plain:
        assert ContentEncoder(998).encode(text) == text


def test_ordinary_text_is_plain_and_text_with_dots_or_bare_line_ends_is_not():
    for wire, plain in [
        (b"a\r\nb\r\n.\r\n", True),
        (b"..a\r\n.\r\n", False),
        (b"a\r\n..b\r\n.\r\n", False),
        (b"a\nb\r\n.\r\n", False),
    ]:
        reader = ContentReader()
        reader.feed(wire)
        assert reader.done
        assert reader.plain is plain, wire


def test_a_chunk_of_bdat_is_never_called_plain():
    assert not ContentReader(dots=False).plain
