"""The policy delegation protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.delegation import ANSWER_LIMIT, Answer, AnswerError, request


def fed(data: bytes, size: int = 0):
    answer = Answer()
    pieces = [data] if not size else [data[at : at + size] for at in range(0, len(data), size)]
    for piece in pieces[:-1]:
        assert answer.feed(piece) is None
    return answer.feed(pieces[-1])


def test_a_question_is_lines_and_an_empty_one():
    assert request([("request", "smtpd_access_policy"), ("sender", "")]) == (
        b"request=smtpd_access_policy\nsender=\n\n"
    )


def test_no_value_can_end_its_line():
    assert request([("helo_name", "x\naction=OK\r\0")]) == b"helo_name=x?action=OK??\n\n"


def test_octets_that_are_no_utf8_stay_what_they_were():
    assert request([("sender", "caf\udce9é@x")]) == b"sender=caf\xe9\xc3\xa9@x\n\n"


@pytest.mark.parametrize("size", [0, 1, 3, 8])
@pytest.mark.parametrize(
    ("data", "action"),
    [
        (b"action=DUNNO\n\n", "DUNNO"),
        (b"action=550 5.7.1 a = b\n\n", "550 5.7.1 a = b"),
        (b"action=\n\n", ""),
        (b"foo=1\naction=REJECT x\naction=OK\n\n", "REJECT x"),
        (b"action=REJECT caf\xc3\xa9 \xff\n\n", "REJECT café \udcff"),
    ],
)
def test_the_action_comes_back_however_the_answer_is_cut(data, action, size):
    assert fed(data, size) == action


@pytest.mark.parametrize("size", [0, 1, 5])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\n", "missing attribute action"),
        (b"foo=bar\n\n", "missing attribute action"),
        (b"ACTION=OK\n\n", "missing attribute action"),
        (b"action = OK\n\n", "missing attribute action"),
        (b"hello\n", "malformed"),
        (b"hello\n\n", "malformed"),
        (b"=OK\n\n", "malformed"),
        (b"action=O\0K\n\n", "malformed"),
        (b"action=OK\r\n\r\n", "malformed"),
    ],
)
def test_what_is_no_answer_is_an_error(data, why, size):
    with pytest.raises(AnswerError, match=why):
        fed(data, size)


def test_two_answers_to_one_question_are_none():
    with pytest.raises(AnswerError, match="more than one"):
        fed(b"action=DUNNO\n\naction=OK\n\n")


def test_an_answer_has_a_limit():
    whole = b"action=PREPEND X: " + b"x" * (ANSWER_LIMIT - 18)
    assert len(fed(whole + b"\n\n")) == ANSWER_LIMIT - 7
    for data in (whole + b"xx", whole + b"x\n\n", b"a=b\n" * (ANSWER_LIMIT // 4 + 1)):
        with pytest.raises(AnswerError, match="unreasonably long"):
            fed(data, 4096)


@given(st.binary(max_size=60), st.integers(1, 7))
def test_garbage_is_an_action_an_error_or_unfinished(data, size):
    answer = Answer()
    for at in range(0, len(data), size):
        try:
            action = answer.feed(data[at : at + size])
        except AnswerError:
            return
        if action is not None:
            assert b"action=" in data
            return
    assert answer.begun is bool(data)
