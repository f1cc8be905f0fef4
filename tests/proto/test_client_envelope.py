from __future__ import annotations

from postroad.model.message import Message, Recipient
from postroad.proto.client_envelope import envelope
from postroad.proto.client_features import parse_features
from postroad.proto.client_values import Dispatch, Manners, Peer

PEER = Peer("there", "192.0.2.1", 25)


def commands(*keywords, sender="a@x", recipients=("b@y",), xforward=False, size=10):
    people = [Recipient(each) for each in recipients]
    dispatch = Dispatch(Message(1, sender, people, 0.0), people, size)
    raw = b"250-there" + b"".join(b"\n250-" + each for each in keywords)
    made = envelope(dispatch, parse_features(raw), PEER, Manners("me", str, xforward=xforward))
    return made, dispatch


def test_each_recipient_that_can_be_asked_for_has_a_command():
    made, dispatch = commands(recipients=("b@y", "c\r\n@y", "d@y"))
    assert made == [b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@y>\r\n", b"RCPT TO:<d@y>\r\n"]
    assert dispatch.asked == [0, 2]
    assert dispatch.outcomes[1].status == "5.1.3"


def test_what_cannot_be_sent_has_its_outcome():
    for made, dispatch in (
        commands(b"SIZE 5"),
        commands(recipients=("\u00fc@y",)),
        commands(sender="a\n@x"),
        commands(recipients=("b\0@y",)),
    ):
        assert made == []
        assert dispatch.outcomes[0].status in ("5.3.4", "5.6.7", "5.1.7", "5.1.3")


def test_where_a_message_comes_from_is_told_only_where_that_is_wanted():
    offered = b"XFORWARD NAME ADDR SOURCE"
    made, dispatch = commands(offered, xforward=True)
    assert made[0] == b"XFORWARD SOURCE=LOCAL\r\n"
    assert dispatch.introduced == made[:1]
    for made, dispatch in (commands(offered), commands(xforward=True)):
        assert made[0].startswith(b"MAIL")
        assert dispatch.introduced == []


def test_what_was_told_to_another_server_before_does_not_count():
    _, dispatch = commands(b"XFORWARD SOURCE", xforward=True)
    envelope(dispatch, parse_features(b"250 there"), PEER, Manners("me", str, xforward=True))
    assert dispatch.introduced == []
