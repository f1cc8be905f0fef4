import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.message import Message, Recipient
from postroad.store.envelope import DamagedEnvelope, pack, unpack

TEXTS = st.text(st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))


def message_of(sender, addresses, attributes=None):
    message = Message(1, sender, [Recipient(a, orcpt="rfc822;" + a) for a in addresses], 1_700_000_000.25)
    message.attributes = attributes or {}
    return message


@given(TEXTS, st.lists(TEXTS, max_size=5), st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_any_text_comes_back_as_it_was(sender, addresses, attributes):
    # Surrogates that stand beside each other may be one UTF-8 character: equal is what the wire sees.
    found = unpack(1, pack(message_of(sender, addresses, attributes)))
    assert wire(found.sender) == wire(sender)
    assert [wire(r.address) for r in found.recipients] == [wire(a) for a in addresses]
    assert {wire(k): wire(v) for k, v in found.attributes.items()} == {
        wire(k): wire(v) for k, v in attributes.items()
    }


def wire(text):
    return text.encode("utf-8", "surrogateescape")


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place, bit):
    data = bytearray(pack(message_of("a@x.test", ["b@x.test"])))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(DamagedEnvelope):
        unpack(1, bytes(data))


@given(st.integers(0, 10_000))
def test_a_cut_envelope_is_noticed(place):
    data = pack(message_of("a@x.test", ["b@x.test"]))
    with pytest.raises(DamagedEnvelope):
        unpack(1, data[: place % len(data)])


@given(st.binary(max_size=200))
def test_rubbish_with_a_right_checksum_is_damaged_too(body):
    with pytest.raises(DamagedEnvelope):
        unpack(1, zlib.crc32(body).to_bytes(4, "big") + body)


@pytest.mark.parametrize("value", [[], {}, "text", ["s", [["a"]], 1.0, 2, 3, 4, "r", "e", {}], [1] * 9])
def test_another_value_is_no_envelope(value):
    body = msgspec.msgpack.encode(value)
    with pytest.raises(DamagedEnvelope):
        unpack(1, zlib.crc32(body).to_bytes(4, "big") + body)


def test_an_envelope_is_small():
    assert len(pack(message_of("alice@example.org", ["bob@example.net"]))) < 130
