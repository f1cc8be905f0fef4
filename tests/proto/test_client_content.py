import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.client_content import ContentEncoder, fits


def encoded(data, *, limit=998, cuts=()):
    encoder = ContentEncoder(limit)
    out, start = [], 0
    for cut in [*sorted(cuts), len(data)]:
        out.append(encoder.encode(data[start:cut]))
        start = cut
    return b"".join(out) + encoder.finish(), encoder.broken


def decoded(wire):
    assert wire.endswith(b"\r\n.\r\n") or wire == b".\r\n"
    lines = wire[:-3].split(b"\r\n")
    assert b"." not in lines
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n..b\r\n", b"a\r\n...b\r\n.\r\n"),
        (b"a.\r\n", b"a.\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
    ],
)
def test_dots_are_doubled_where_they_begin_a_line(data, wire):
    assert encoded(data)[0] == wire


text = st.lists(st.sampled_from([b"\r\n", b".", b"a", b"bcd", b"."]), max_size=40).map(b"".join)


@given(text, st.lists(st.integers(0, 80)), st.sampled_from([0, 3, 5, 998]))
def test_how_the_pieces_are_cut_never_matters(data, cuts, limit):
    data += b"\r\n"
    whole, broken = encoded(data, limit=limit)
    assert encoded(data, limit=limit, cuts=[c for c in cuts if c < len(data)]) == (whole, broken)
    if not broken:
        assert decoded(whole) == data


@given(text, st.sampled_from([2, 3, 5]))
def test_no_line_is_longer_than_the_limit(data, limit):
    wire, broken = encoded(data + b"\r\n", limit=limit)
    assert all(len(line) <= limit for line in decoded(wire).split(b"\r\n"))
    assert broken == any(len(line) > limit for line in data.split(b"\r\n"))
    assert decoded(wire).replace(b"\r\n ", b"") == (data + b"\r\n")


@pytest.mark.parametrize(
    ("line", "wire"),
    [
        (b"x" * 998, b"x" * 998),
        (b"x" * 999, b"x" * 998 + b"\r\n x"),
        (b"x" * (998 + 997), b"x" * 998 + b"\r\n " + b"x" * 997),
        (b"x" * (998 + 998), b"x" * 998 + b"\r\n " + b"x" * 997 + b"\r\n x"),
    ],
)
def test_a_long_line_is_broken_as_postfix_does(line, wire):
    assert encoded(b"a\r\n" + line + b"\r\nb\r\n")[0] == b"a\r\n" + wire + b"\r\nb\r\n.\r\n"


def test_a_limit_of_nought_breaks_nothing():
    assert encoded(b"x" * 5000 + b"\r\n", limit=0) == (b"x" * 5000 + b"\r\n.\r\n", False)


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"\0", b"a"]), max_size=12), st.lists(st.integers(0, 12))
)
def test_nothing_sent_can_be_taken_for_an_early_end(parts, cuts):
    """No bare CR or LF leaves, and the only dot alone on a line is the last one."""
    data = b"".join(parts)
    wire, _ = encoded(data, cuts=[c for c in cuts if c < len(data)])
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


def test_a_limit_that_leaves_no_room_behind_the_space_is_taken_for_the_next():
    assert encoded(b"abc\r\n", limit=1) == (b"ab\r\n c\r\n.\r\n", True)


@given(text, st.sampled_from([2, 3, 5]))
def test_a_text_fits_when_nothing_of_it_has_to_be_broken(data, limit):
    encoder = ContentEncoder(limit)
    encoder.encode(data + b"\r\n")
    assert fits(data + b"\r\n", limit) is not encoder.broken


@pytest.mark.parametrize(("length", "fit"), [(998, True), (999, False)])
@pytest.mark.parametrize("before", [b"", b"a" * 998 + b"\r\n", b"\r\n" * 700])
def test_a_line_of_just_the_limit_fits(before, length, fit):
    assert fits(before + b"x" * length + b"\r\n" + b"short\r\n", 998) is fit
