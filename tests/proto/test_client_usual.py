import pytest

from postroad.model.message import Message, Recipient
from postroad.proto.client_usual import UsualAnswers
from postroad.proto.client_values import Dispatch
from postroad.proto.replies import ReplyParser

SAME = b"250 a\r\n250 b\r\n354 c\r\n"


def dispatch(count=1):
    recipients = [Recipient(f"r{number}@x") for number in range(count)]
    made = Dispatch(Message(1, "s@x", recipients, 0.0), recipients, 10)
    made.asked = list(range(count))
    return made


def parser(data):
    made = ReplyParser()
    made.feed(data)
    return made


@pytest.fixture
def usual():
    made, first = UsualAnswers(), dispatch()
    first.accepted = [0]
    made.note(SAME, first)
    return made


def test_the_same_answers_take_every_recipient_again(usual):
    second, read = dispatch(), parser(SAME)
    assert usual.taken(read, second)
    assert (second.accepted, second.replied) == ([0], 1)
    assert not read.pending


@pytest.mark.parametrize("data", [b"", SAME[:-1], SAME + b"2", SAME.replace(b"354", b"554"), b"250-x\r\n"])
def test_other_answers_are_left_to_be_read(usual, data):
    second, read = dispatch(), parser(data)
    assert not usual.taken(read, second)
    assert (second.accepted, second.replied, read.unread) == ([], 0, data)


def test_answers_to_another_number_of_recipients_are_left_to_be_read(usual):
    assert not usual.taken(parser(SAME), dispatch(2))


def test_the_rest_of_a_reply_is_not_taken_for_the_usual(usual):
    read = parser(b"250-x\r\n")
    assert read.next() is None
    read.feed(SAME)
    assert not usual.taken(read, dispatch())
    assert read.unread == b""


def test_answers_that_refused_somebody_are_not_noted():
    made, first = UsualAnswers(), dispatch(2)
    first.accepted = [1]
    made.note(SAME, first)
    assert not made.taken(parser(SAME), dispatch(2))
