import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.replies import REPLY_LIMIT, GarbledReply, ReplyParser, ServerReply, printable


def replies(data, *, strict=True, cuts=(), line_limit=2048):
    parser = ReplyParser(line_limit)
    parser.strict = strict
    found, start = [], 0
    for cut in [*sorted(cuts), len(data)]:
        parser.feed(data[start:cut])
        start = cut
        while (reply := parser.next()) is not None:
            found.append((reply.code, reply.status, reply.text))
    return found, parser


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"250 2.1.0 Ok\r\n", (250, "2.1.0", "250 2.1.0 Ok")),
        (b"250 Ok\n", (250, "2.0.0", "250 Ok")),
        (b"550\r\n", (550, "5.0.0", "550")),
        (b"550 5.7.2\r\n", (550, "5.7.2", "550 5.7.2")),
        (b"550 \r\n", (550, "5.0.0", "550 ")),
        (b"550 4.1.1 mixed up\r\n", (550, "5.0.0", "550 4.1.1 mixed up")),
        (b"550 5.1.1000 no\r\n", (550, "5.0.0", "550 5.1.1000 no")),
        (b"550 5.1.1x\r\n", (550, "5.0.0", "550 5.1.1x")),
        (b"354 2.0.0 go on\r\n", (354, "", "354 2.0.0 go on")),
        (b"000 zero\r\n", (0, "", "000 zero")),
        (b"550-5.1.1 one\r\n550 5.1.2 two\r\n", (550, "5.1.2", "550-5.1.1 one 550 5.1.2 two")),
        (b"550-one\r\n551 two\r\n", (551, "5.0.0", "550-one 551 two")),
        (b"550 a\x1b[31m\x00\xff\r\n", (550, "5.0.0", "550 a?[31m??")),
        ("550 grüße\r\n".encode(), (550, "5.0.0", "550 grüße")),
        (b"550 a\rb\r\n", (550, "5.0.0", "550 a?b")),
    ],
)
def test_a_reply_is_read_as_what_it_says(data, reply):
    found, parser = replies(data)
    assert found == [reply]
    assert not parser.pending


@given(st.lists(st.integers(0, 120)))
def test_how_the_bytes_are_cut_never_matters(cuts):
    data = b"220-a\r\n220 b\r\n250 ok\r\n250\r\n354 go\r\n550-5.1.1 x\r\n550-\r\n550 5.1.1 y\r\n"
    whole, _ = replies(data)
    assert len(whole) == 5
    assert replies(data, cuts=[c for c in cuts if c < len(data)])[0] == whole


@given(st.binary(max_size=400), st.booleans())
def test_garbage_never_raises_anything_but_garbled_reply(data, strict):
    with contextlib.suppress(GarbledReply):
        found, _ = replies(data, strict=strict)
        assert all(text.isprintable() for _, _, text in found)


def test_a_line_that_is_no_reply_is_an_error_when_commands_are_pipelined():
    with pytest.raises(GarbledReply, match="hello"):
        replies(b"250 Ok\r\nhello\r\n221 bye\r\n")


def test_a_line_that_is_no_reply_belongs_to_the_next_without_pipelining():
    found, _ = replies(b"hello\r\n250 Ok\r\n", strict=False)
    assert found == [(250, "2.0.0", "hello 250 Ok")]


def test_an_unfinished_reply_is_pending():
    found, parser = replies(b"250-one\r\n")
    assert found == []
    assert parser.pending
    assert replies(b"25")[1].pending


def test_a_long_line_is_cut_and_still_one_reply():
    found, _ = replies(b"550 " + b"x" * 5000 + b"\r\n250 ok\r\n", line_limit=100)
    assert [code for code, _, _ in found] == [550, 250]
    assert len(found[0][2]) == 100


def test_the_text_of_many_lines_is_cut_at_the_limit():
    found, _ = replies(
        b"550-" + b"x" * 60 + b"\r\n" + b"550-y\r\n" * 500 + b"550 5.0.1 end\r\n", line_limit=100
    )
    assert found[0][0] == 550
    assert len(found[0][2]) < 200


def test_ten_thousand_continuation_lines_are_too_much():
    with pytest.raises(GarbledReply):
        replies(b"250-x\r\n" * 10_000)


def test_a_line_without_end_is_too_much_and_never_kept():
    parser = ReplyParser(2048)
    for _ in range(REPLY_LIMIT // 1000):
        parser.feed(b"x" * 1000)
        assert parser.next() is None
        assert len(parser.buffer) <= 2048
    parser.feed(b"x" * 5000)
    with pytest.raises(GarbledReply):
        parser.next()


def test_who_said_too_much_is_given_up_once():
    parser = ReplyParser()
    parser.feed(b"250 " + b"y" * 2 * REPLY_LIMIT)
    with pytest.raises(GarbledReply):
        parser.next()
    assert parser.next() is None


def test_control_and_direction_characters_are_question_marks():
    assert printable("a\u202eb\u2028c\x85".encode()) == "a?b?c?"


def test_only_2xx_is_good():
    assert ServerReply(250, b"250").good
    assert not ServerReply(354, b"354").good
    assert not ServerReply(199, b"199").good


line = st.tuples(st.sampled_from([b"250", b"251", b"25x"]), st.sampled_from([b"-", b"-", b" ", b""]),
                 st.sampled_from([b"", b"a", b"\r", b"x" * 30]), st.sampled_from([b"\r\n", b"\n"]))  # fmt: skip


@given(st.lists(line.map(b"".join), max_size=6).map(b"".join), st.sampled_from([20, 40, 2048]), st.booleans())
def test_several_lines_at_once_are_read_as_one_by_one(data, limit, strict):
    def read(pieces):
        parser, replies = ReplyParser(limit), []
        parser.strict = strict
        try:
            for piece in pieces:
                parser.feed(piece)
                while (reply := parser.next()) is not None:
                    replies.append((reply.code, reply.raw))
        except GarbledReply:
            replies.append("garbled")
        return replies

    assert read([data]) == read([data[at : at + 1] for at in range(len(data))])
