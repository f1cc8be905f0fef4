import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.reply import Reply
from postroad.proto.milter.replies import MalformedReply, read_reply


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"550 5.7.1 no\0", Reply(550, "5.7.1", "no")),
        (b"451 later", Reply(451, "", "later")),
        (b"554 5.7.1\0", Reply(554, "5.7.1", "")),
        (b"421\0", Reply(421, "", "")),
        (b"550-5.7.1 a\r\n550 5.7.1 b\0", Reply(550, "5.7.1", "a\nb")),
        (b"550-5.7.1 a\n550 5.7.1 b\r\n\0", Reply(550, "5.7.1", "a\nb")),
        (b"451-a\r\n451 b\0", Reply(451, "", "a\nb")),
        (b"550-5.7.1 a\r\n550 5.7.2 b\0", Reply(550, "", "5.7.1 a\n5.7.2 b")),
        (b"550 5.7.1 100%% %s\0", Reply(550, "5.7.1", "100% s")),
        (b"550 5.7.1 \xc3\xa4\x07\0", Reply(550, "5.7.1", "ä?")),
    ],
)
def test_replies(data, reply):
    assert read_reply(data) == reply


@pytest.mark.parametrize(
    "data",
    [
        b"", b"250 2.0.0 fine", b"354 go", b"5500 no", b"550no", b"550 4.7.1 mixed", b"550-5.7.1 open",
        b"550-5.7.1 a\r\n451 5.7.1 b", b"550-5.7.1 a\r\n551 5.7.1 b", b"550 5.7.1 a\r\n550 5.7.1 b",
        b"550-5.7.1 a\r\n\r\n550 5.7.1 b", b"550 a\r550 b\n250 ok", b"550-a\r\n" * 32 + b"550 a",
        b"550 " + b"x" * 980,
    ],
)  # fmt: skip
def test_malformed_replies(data):
    with pytest.raises(MalformedReply, match="malformed reply: "):
        read_reply(data)


@given(st.binary(max_size=100) | st.text("0123456789-. ab%\r\n", max_size=60).map(str.encode))
def test_what_is_taken_is_a_refusal_that_breaks_nothing(data):
    try:
        reply = read_reply(data)
    except MalformedReply:
        return
    assert 400 <= reply.code < 600
    assert not reply.status or reply.status[0] == str(reply.code)[0]
    assert "\r" not in reply.text
    for line in bytes(reply).split(b"\r\n")[:-1]:
        assert line.startswith(str(reply.code).encode())
        assert b"\n" not in line
