import struct

import pytest

from postroad.proto.milter import codec
from postroad.proto.milter.codec import MilterError
from postroad.proto.milter.options import Offer, read_offer, read_terms

SIX = read_offer("6")


def terms(version=6, actions=0x1FF, events=0, extra=b"", offer=SIX):
    return read_terms(struct.pack(">III", version, actions, events) + extra, offer)


@pytest.mark.parametrize(
    ("text", "offer"),
    [
        ("2", Offer(2, 0x7F)),
        ("3", Offer(3, 0x17F)),
        ("4", Offer(4, 0x37F)),
        ("6", Offer(6, 0x1FFFFF)),
        ("2, no_header_reply", Offer(2, 0xFF)),
        ("no_header_reply 4", Offer(4, 0x3FF)),
    ],
)
def test_what_versions_offer(text, offer):
    assert read_offer(text) == offer


@pytest.mark.parametrize("text", ["", "5", "7", "six", "no_header_reply", "2 3"])
def test_what_cannot_be_offered(text):
    with pytest.raises(ValueError, match="protocol"):
        read_offer(text)


@pytest.mark.parametrize(
    ("event", "unwanted", "silent"),
    [
        (codec.CONNECT, 0x1, 0x1000),
        (codec.HELO, 0x2, 0x2000),
        (codec.MAIL, 0x4, 0x4000),
        (codec.RCPT, 0x8, 0x8000),
        (codec.BODY, 0x10, 0x80000),
        (codec.HEADER, 0x20, 0x80),
        (codec.END_OF_HEADER, 0x40, 0x40000),
        (codec.UNKNOWN, 0x100, 0x20000),
        (codec.DATA, 0x200, 0x10000),
    ],
)
def test_events_that_a_milter_does_not_want_or_does_not_answer(event, unwanted, silent):
    assert terms().wants(event)
    assert terms().answers(event)
    assert not terms(events=unwanted).wants(event)
    assert not terms(events=silent).answers(event)
    assert terms(events=0x1FFFFF & ~unwanted & ~silent).wants(event)
    assert terms(events=0x1FFFFF & ~unwanted & ~silent).answers(event)


def test_the_end_of_a_message_is_always_told_and_answered():
    every = terms(events=0x1FFFFF)
    assert every.wants(codec.END)
    assert every.answers(codec.END)


def test_old_milters_are_not_told_of_new_events():
    assert not terms(version=2).wants(codec.DATA)
    assert not terms(version=2).wants(codec.UNKNOWN)
    assert terms(version=3).wants(codec.UNKNOWN)
    assert not terms(version=3).wants(codec.DATA)
    assert terms(version=4).wants(codec.DATA)


def test_extensions():
    none, every = terms(), terms(events=0x1FFFFF)
    for name in ("may_skip", "rejected_recipients", "leading_space"):
        assert not getattr(none, name)
        assert getattr(every, name)


def test_what_was_not_offered_has_no_effect():
    assert not terms(version=2, events=0x100480, offer=read_offer("2")).leading_space
    assert terms(events=0xFFF00000).events == 0x100000


def test_lists_of_macros():
    extra = struct.pack(">I", 0) + b"j, {client_port}\0" + struct.pack(">I", 5) + b"\0"
    assert terms(extra=extra).symbols == {codec.CONNECT: ("j", "{client_port}"), codec.END: ()}
    strange = terms(extra=struct.pack(">I", 9) + b"x\0")
    assert strange.symbols == {}
    assert strange.unusual == "ignoring unknown macro type 9"


def test_an_unheard_of_version_is_told():
    assert terms(version=1).unusual == "unexpected protocol version 1"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack(">III", 7, 0, 0), "protocol version 7 conflict with MTA protocol version 6"),
        (struct.pack(">III", 6, 0xFFF, 0), "request mask 0xfff conflict with MTA request mask 0x1ff"),
        (b"\0\0\0\x06", "too short"),
        (struct.pack(">III", 6, 0, 0) + b"\0\0", "too short for network long"),
        (struct.pack(">III", 6, 0, 0) + struct.pack(">I", 1) + b"abc", "missing string null terminator"),
    ],
)
def test_what_cannot_be_agreed_on(data, text):
    with pytest.raises(MilterError, match=text):
        read_terms(data, SIX)
