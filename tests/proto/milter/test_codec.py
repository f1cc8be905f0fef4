import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.milter import codec
from postroad.proto.milter.codec import PACKET_LIMIT, Fields, MilterError, PacketReader


def cut(data, places):
    places = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def read(pieces):
    reader = PacketReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (packet := reader.next()) is not None:
            found.append(packet)
    return found, reader


PACKETS = st.lists(st.tuples(st.sampled_from([b"c", b"h", b"b"]), st.binary(max_size=40)), max_size=6)


@given(PACKETS, st.lists(st.integers(0, 400)))
def test_however_it_is_cut_the_same_packets_come_out(packets, places):
    data = b"".join(codec.packet(*each) for each in packets)
    found, reader = read(cut(data, places))
    assert found == packets
    assert reader.size == 0


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_any_bytes_are_packets_or_a_protocol_error(data, places):
    with contextlib.suppress(MilterError):
        read(cut(data, places))


def test_lengths_are_bounded_before_anything_is_kept():
    reader = PacketReader()
    reader.feed((PACKET_LIMIT + 1).to_bytes(4))
    with pytest.raises(MilterError, match="unreasonable packet length"):
        reader.next()
    reader = PacketReader()
    reader.feed(bytes(4))
    with pytest.raises(MilterError, match="bad packet length: 0"):
        reader.next()
    reader = PacketReader()
    reader.feed(PACKET_LIMIT.to_bytes(4) + b"c")
    assert reader.next() is None


def test_packets_as_postfix_sends_them():
    assert codec.negotiation(6, 0x1FF, 0x1FFFFF) == b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"
    assert codec.connect_data("localhost", "127.0.0.1", 41210) == b"localhost\x004\xa0\xfa127.0.0.1\0"
    assert codec.connect_data("[::1]", "::1", 25) == b"[::1]\x006\0\x19::1\0"
    assert codec.connect_data("unknown", "unknown", 0) == b"unknown\0U"
    assert codec.macros(b"C", {"j": "mx", "{daemon_name}": "d"}) == b"\0\0\0\x17DCj\0mx\0{daemon_name}\0d\0"
    assert codec.head(b"B", 4) + b"body" == codec.packet(b"B", b"body")


def test_strings_cannot_end_early():
    assert codec.strings("a\0b", "\udcff") == b"ab\0\xff\0"


def test_fields_of_a_packet():
    fields = Fields(b"\0\0\0\x05name\0\0")
    assert (fields.number(), fields.string(), fields.string(), bool(fields)) == (5, b"name", b"", False)
    fields.finish("SMFIR_X")


@pytest.mark.parametrize(
    ("data", "how", "text"),
    [
        (b"\0\0\0", "number", "too short for network long"),
        (b"", "string", "too short for string"),
        (b"abc", "string", "missing string null terminator"),
    ],
)
def test_what_is_not_there_is_an_error(data, how, text):
    with pytest.raises(MilterError, match=text):
        getattr(Fields(data), how)()


def test_what_is_left_over_is_an_error():
    with pytest.raises(MilterError, match="reply SMFIR_CONTINUE was followed by 3 data bytes"):
        Fields(b"abc").finish("SMFIR_CONTINUE")
