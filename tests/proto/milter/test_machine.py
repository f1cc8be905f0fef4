import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.reply import Reply
from postroad.proto.milter import codec, machine
from postroad.proto.milter.codec import MilterError
from postroad.proto.milter.machine import CONTINUE, Decision, MilterMachine, Verdict
from postroad.proto.milter.options import read_offer
from proto.milter.test_codec import cut


def begun(events=0, version=6):
    found = MilterMachine(read_offer("6"), 10_000)
    found.begin()
    found.feed(codec.packet(b"O", struct.pack(">III", version, 0x1FF, events)))
    assert found.next() is CONTINUE
    return found


def answered(event, *packets, events=0):
    found = begun(events)
    found.event(event)
    found.feed(b"".join(codec.packet(*each) for each in packets))
    return found, found.next()


def test_the_handshake():
    found = MilterMachine(read_offer("6"), 1)
    assert found.begin() == b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"
    assert found.awaited == codec.NEGOTIATE
    assert found.next() is None
    found.feed(codec.packet(b"c"))
    with pytest.raises(MilterError, match='unexpected reply "c" in initial handshake'):
        found.next()


@pytest.mark.parametrize(
    ("packet", "decision"),
    [
        ((b"c",), CONTINUE),
        ((b"a",), Decision(Verdict.ACCEPT)),
        ((b"d",), Decision(Verdict.DISCARD)),
        ((b"r",), Decision(Verdict.REFUSE, Reply(550, "5.7.1", "Command rejected"))),
        ((b"t",), Decision(Verdict.REFUSE, Reply(451, "4.7.1", "Service unavailable - try again later"))),
        ((b"4",), Decision(Verdict.SHUTDOWN, Reply(421, "4.7.0", "Server closing connection"))),
        ((b"y", b"550 5.1.1 who\0"), Decision(Verdict.REFUSE, Reply(550, "5.1.1", "who"))),
    ],
)
def test_decisions(packet, decision):
    found, made = answered(codec.RCPT, packet)
    assert made == decision
    assert found.awaited == b""


def test_progress_and_edits_are_no_decision():
    found, made = answered(codec.END, (b"p",), (b"h", b"A\0b\0"), (b"q", b"why\0"), (b"p",))
    assert made is None
    assert found.packets == 5  # with the handshake's
    found.feed(codec.packet(b"c"))
    assert found.next() is CONTINUE
    assert len(found.edits.header) == 1
    assert found.quarantined


def test_each_event_begins_anew():
    found, _ = answered(codec.RCPT, (b"q", b"x\0"), (b"c",))
    assert found.quarantined
    found.event(codec.END)
    assert not found.quarantined
    assert not found.edits


def test_skip_only_where_it_was_agreed_on():
    assert answered(codec.BODY, (b"s",), events=0x400)[1] == Decision(Verdict.SKIP)
    with pytest.raises(MilterError, match="SMFIR_SKIP after event SMFIC_BODY"):
        answered(codec.BODY, (b"s",))


def test_events_without_an_answer():
    found = begun(events=0x80)
    assert found.event(codec.HEADER, b"A\0b\0") == b"\0\0\0\x05LA\0b\0"
    assert found.awaited == b""
    assert found.next() is None
    assert found.part(codec.BODY, 3) == b"\0\0\0\x04B"
    assert found.awaited == codec.BODY


@pytest.mark.parametrize(
    ("event", "packets", "text"),
    [
        (codec.CONNECT, [(b"d",)], "DISCARD action is not allowed for connect or helo"),
        (codec.HELO, [(b"q", b"x\0")], "SMFIR_QUARANTINE after event SMFIC_HELO"),
        (codec.RCPT, [(b"h", b"A\0b\0")], "SMFIR_ADDHEADER after event SMFIC_RCPT"),
        (codec.MAIL, [(b"f",)], "SMFIR_CONN_FAIL after event SMFIC_MAIL"),
        (codec.MAIL, [(b"Z",)], "(unknown filter reply) after event SMFIC_MAIL"),
        (codec.MAIL, [(b"c", b"x")], "reply SMFIR_CONTINUE was followed by 1 data bytes"),
        (codec.MAIL, [(b"c",), (b"c",)], "unexpected data after the reply to SMFIC_MAIL"),
    ],
)
def test_what_a_milter_may_not_say(event, packets, text):
    with pytest.raises(MilterError) as caught:
        answered(event, *packets)
    assert text in str(caught.value)


def test_words_that_nobody_asked_for():
    with pytest.raises(MilterError, match="while no event was sent"):
        begun().feed(codec.packet(b"c"))


def test_a_milter_cannot_keep_an_event_open_for_ever(monkeypatch):
    monkeypatch.setattr(machine, "_MOST_PACKETS", 3)
    with pytest.raises(MilterError, match="too many packets"):
        answered(codec.END, *[(b"p",)] * 4)


def test_abort():
    found, _ = answered(codec.END, (b"h", b"A\0b\0"))
    assert found.abort() == b"\0\0\0\x01A"
    assert found.awaited == b""
    assert not found.edits


WORDS = st.sampled_from([b"c", b"a", b"p", b"q", b"h", b"b", b"y", b"s", b"+", b"e", b"m", b"O", b"\xff"])
PACKETS = st.lists(st.tuples(WORDS, st.binary(max_size=20)).map(lambda each: codec.packet(*each)), max_size=5)


@given(st.sampled_from([*codec.COMMAND_NAMES]), PACKETS.map(b"".join) | st.binary(max_size=80), st.lists(st.integers(0, 200)))  # fmt: skip
def test_any_bytes_cut_anywhere_decide_or_are_a_protocol_error(event, data, places):
    def outcome(pieces):
        found = begun(0x400)
        found.event(event)
        try:
            for piece in pieces:
                found.feed(piece)
                decision = found.next()
                if decision is not None:
                    return decision
        except MilterError:
            return "error"
        return None

    whole = outcome([data])
    cut_up = outcome(cut(data, places))
    # What stands behind a decision is an error if it came with it, and one of the next event's if not.
    assert whole == cut_up or (whole == "error" and isinstance(cut_up, Decision))
