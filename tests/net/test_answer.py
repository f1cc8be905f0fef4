"""Packets are read with nothing in them trusted."""

from __future__ import annotations

import contextlib
import random
import struct

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.net.answer import (
    RECORD_LIMIT,
    BadAnswer,
    Elsewhere,
    Refused,
    Truncated,
    question,
    read_answer,
    wire_name,
)


def ask(name: str, kind: str, number: int = 7) -> dns.message.Message:
    wire = wire_name(name)
    assert wire is not None
    return dns.message.from_wire(question(wire, kind, number))


def read(packet: bytes, name: str, kind: str):
    return read_answer(packet, name, kind, 7)


def test_a_question_asks_for_recursion_and_authenticity_but_no_signatures():
    query = ask("mx.example", "MX")
    assert dns.flags.to_text(query.flags) == "RD AD"
    assert (query.edns, query.payload, query.ednsflags) == (0, 1232, 0)
    assert not dns.message.from_wire(question(wire_name("a"), "A", 7, edns=False)).opt


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, "a." * 127 + "b", "a b", "a\\b", "a\tb", ".a", "a."])
def test_an_impossible_name_has_no_wire_form(name):
    assert wire_name(name) is None


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:db8::1", "2001:db8::1"),
        ("MX", "10 mx.example.", (10, "mx.example")),
        ("MX", "0 .", (0, "")),
        ("PTR", "h.example.", "h.example"),
        ("NS", "ns.example.", "ns.example"),
        ("CNAME", "c.example.", "c.example"),
        ("TXT", '"one" " two"', b"one two"),
        ("SRV", "1 2 3 s.example.", (1, 2, 3, "s.example")),
        ("TLSA", "3 1 1 " + "ab" * 32, (3, 1, 1, b"\xab" * 32)),
    ],
)
def test_each_kind_of_record_is_a_plain_value(reply, kind, data, value):
    answer = read(reply(ask("x.example", kind), f"x.example. 60 {kind} {data}"), "x.example", kind)
    assert answer.records == (value,)
    assert answer.ttl == 60
    assert not answer.nxdomain


@pytest.mark.parametrize("ad", [True, False])
def test_authenticity_is_what_the_server_says(reply, ad):
    packet = reply(ask("x.example", "A"), "x.example. 60 A 192.0.2.1", ad=ad)
    assert read(packet, "x.example", "A").authentic is ad


def test_a_cname_chain_is_followed_within_the_packet(reply):
    packet = reply(
        ask("a.example", "A"),
        "a.example. 60 CNAME b.example.",
        "b.example. 20 CNAME c.example.",
        "c.example. 90 A 192.0.2.1",
    )
    answer = read(packet, "a.example", "A")
    assert (answer.name, answer.records, answer.ttl) == ("c.example", ("192.0.2.1",), 20)


def test_a_chain_that_ends_open_says_where_to_ask_on(reply):
    with pytest.raises(Elsewhere, match=r"b\.example"):
        read(reply(ask("a.example", "A"), "a.example. 60 CNAME b.example."), "a.example", "A")


def test_a_chain_without_end_is_nonsense(reply):
    loop = reply(ask("a.example", "A"), "a.example. 60 CNAME b.example.", "b.example. 60 CNAME a.example.")
    with pytest.raises(BadAnswer):
        read(loop, "a.example", "A")


def test_no_name_and_no_data_are_told_apart(reply):
    soa = ("example. 60 SOA ns.example. root.example. 1 2 3 4 30",)
    missing = read(reply(ask("x.example", "A"), rcode=dns.rcode.NXDOMAIN, authority=soa), "x.example", "A")
    assert (missing.records, missing.nxdomain, missing.ttl) == ((), True, 30)
    empty = read(reply(ask("x.example", "A"), authority=soa), "x.example", "A")
    assert (empty.records, empty.nxdomain, empty.ttl) == ((), False, 30)


def test_a_refusal_is_neither_yes_nor_no(reply):
    with pytest.raises(Refused):
        read(reply(ask("x.example", "A"), rcode=dns.rcode.SERVFAIL), "x.example", "A")


def test_truncation_is_seen_even_in_a_packet_cut_anywhere(reply):
    packet = reply(ask("x.example", "A"), "x.example. 60 A 192.0.2.1", tc=True)
    for size in range(12, len(packet)):
        with pytest.raises(Truncated):
            read(packet[:size], "x.example", "A")


def test_an_answer_to_another_question_is_not_ours(reply):
    packet = reply(ask("x.example", "A"), "x.example. 60 A 192.0.2.1")
    for name, kind in (("y.example", "A"), ("x.example", "AAAA")):
        with pytest.raises(BadAnswer):
            read(packet, name, kind)
    with pytest.raises(BadAnswer):
        read_answer(packet, "x.example", "A", 8)
    with pytest.raises(BadAnswer):
        read(question(wire_name("x.example"), "A", 7), "x.example", "A")  # a question is no answer


def test_the_case_of_the_name_does_not_matter(reply):
    packet = reply(ask("X.Example", "A"), "x.example. 60 A 192.0.2.1")
    assert read(packet, "x.EXAMPLE", "A").records == ("192.0.2.1",)


def test_records_of_other_names_are_not_taken(reply):
    packet = reply(ask("x.example", "A"), "evil.example. 60 A 192.0.2.66", "x.example. 60 A 192.0.2.1")
    assert read(packet, "x.example", "A").records == ("192.0.2.1",)


def test_a_thousand_addresses_are_cut_to_the_limit(reply):
    records = [f"x.example. 60 A 10.0.{n // 250}.{n % 250}" for n in range(1000)]
    assert len(read(reply(ask("x.example", "A"), *records), "x.example", "A").records) == RECORD_LIMIT


def test_escapes_in_a_name_stay_escapes(reply):
    packet = reply(ask("x.example", "PTR"), r"x.example. 60 PTR a\032\010b\.c.example.")
    (name,) = read(packet, "x.example", "PTR").records
    assert name == r"a\032\010b\.c.example"


@pytest.mark.parametrize(
    ("kind", "data"), [("A", b"\x01\x02\x03"), ("MX", b"\x00"), ("MX", b"\x00\x0a\xc0\xff")]
)
def test_short_record_data_is_nonsense(reply, kind, data):
    query = ask("x.example", kind)
    packet = bytearray(reply(query))
    packet[6:8] = b"\0\1"
    number = dns.rdatatype.from_text(kind)
    head = len(reply(query)) - (11 if query.edns >= 0 else 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(data)) + data
    packet[head:head] = record
    with pytest.raises(BadAnswer):
        read(bytes(packet), "x.example", kind)


@given(st.binary(max_size=200))
def test_noise_never_does_more_than_fail(noise):
    packet = b"\0\7\x80\0" + noise
    with pytest.raises((BadAnswer, Elsewhere)):
        read(packet, "x.example", "A")


def test_a_damaged_answer_is_an_answer_or_a_failure_and_nothing_else(reply):
    rng = random.Random(5)
    whole = reply(
        ask("a.example", "MX"), "a.example. 60 CNAME b.example.", "b.example. 60 MX 10 mx.b.example."
    )
    for _ in range(2000):
        packet = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            packet[rng.randrange(len(packet))] = rng.randrange(256)
        with contextlib.suppress(BadAnswer, Elsewhere):
            read(bytes(packet), "a.example", "MX")


@pytest.mark.parametrize(
    ("data", "record"),
    [
        (b"", (255, 255, 255, b"")),
        (b"\x03\x01", (255, 255, 255, b"")),
        (b"\x03\x01\x01", (3, 1, 1, b"")),
        (b"\x03\x01\x01short", (3, 1, 1, b"short")),
    ],
)
def test_a_malformed_tlsa_record_spoils_no_other(reply, data, record):
    query = ask("_25._tcp.x.example", "TLSA")
    packet = bytearray(reply(query))
    packet[6:8] = b"\0\2"
    head = len(packet) - (11 if query.edns >= 0 else 0)
    good = bytes((3, 1, 1)) + b"x" * 32
    for each in (good, data):
        packet[head:head] = b"\xc0\x0c" + struct.pack("!HHIH", 52, 1, 60, len(each)) + each
    answer = read(bytes(packet), "_25._tcp.x.example", "TLSA")
    assert set(answer.records) == {record, (3, 1, 1, b"x" * 32)}


@pytest.mark.parametrize("cut", range(13, 60, 3))
def test_a_cut_tlsa_answer_is_nonsense(reply, cut):
    query = ask("_25._tcp.x.example", "TLSA")
    packet = reply(query, "_25._tcp.x.example. 60 TLSA 3 1 1 " + "00" * 32)
    with pytest.raises(BadAnswer):
        read(packet[:cut], "_25._tcp.x.example", "TLSA")


def test_a_name_in_a_tlsa_answer_may_not_run_in_circles(reply):
    query = ask("x.example", "TLSA")
    packet = bytearray(reply(query, "x.example. 60 TLSA 3 1 1 " + "00" * 32))
    at = packet.index(b"\xc0\x0c")
    packet[at + 1] = at
    with pytest.raises(BadAnswer):
        read(bytes(packet), "x.example", "TLSA")
