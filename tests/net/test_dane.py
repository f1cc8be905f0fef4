"""Which TLSA records count, and what follows from those that do not."""

from __future__ import annotations

import asyncio
import hashlib
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from patience import until
from postroad.base.errors import LookupUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.dane import DaneLookup, DaneState, Tlsa, flaw, read_digests
from postroad.net.mailhosts import Host
from postroad.net.params import params as net_params

MX = "mx.x.example"
HOST = Host(MX, "192.0.2.1", 25, secure_mx=True, secure=True, canonical=MX)
D256, D512 = hashlib.sha256(b"x").digest(), hashlib.sha512(b"x").digest()
KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def lookup(resolver, sink):
    return DaneLookup(resolver, ("sha512", "sha256"), Log(sink))


def raw(query: dns.message.Message, *rdatas: bytes, ad: bool, tc: bool = False) -> bytes:
    """An answer whose TLSA records have these octets, whatever the codec thinks of them."""
    flags = 0x8180 | 0x20 * ad | 0x200 * tc
    head = query.to_wire()[:2] + struct.pack("!HHHHH", flags, 1, len(rdatas), 0, 0)
    question = query.question[0].name.to_wire() + struct.pack("!HH", 52, 1)
    records = (b"\xc0\x0c" + struct.pack("!HHIH", 52, 1, 60, len(each)) + each for each in rdatas)
    return head + question + b"".join(records)


@pytest.fixture
def publish(stub):
    """Publish TLSA records, each (usage, selector, matching, data), authentic if not told otherwise."""

    def publish(*records, name=f"_25._tcp.{MX}", ad=True):
        rdatas = [bytes(each[:3]) + each[3] for each in records]

        def make(query, tcp):
            packet = raw(query, *rdatas, ad=ad)
            return [packet] if tcp or len(packet) <= 1232 else [raw(query, ad=ad, tc=True)]

        stub.zone[name, "TLSA"] = make

    return publish


async def test_a_digest_of_the_key_is_the_usual_record(publish, lookup):
    publish((3, 1, 1, D256))
    found = await lookup.find(HOST)
    assert found.state is DaneState.USABLE
    assert found.records == (Tlsa(3, 1, 1, D256),)
    assert found.base == MX
    assert found.authenticated


async def test_a_forged_way_to_the_host_is_noted(publish, lookup):
    publish((3, 1, 1, D256))
    assert not (await lookup.find(HOST._replace(secure_mx=False))).authenticated


@pytest.mark.parametrize(
    "record",
    [
        (0, 1, 1, D256),
        (1, 1, 1, D256),
        (255, 1, 1, D256),
        (3, 2, 1, D256),
        (3, 1, 3, D256),
        (3, 1, 1, D256[:-1]),
        (3, 1, 1, D512),
        (3, 1, 2, D256),
        (2, 0, 0, b"no certificate"),
        (3, 1, 0, b"no key"),
        (3, 1, 0, KEY[:-1]),
    ],
)
async def test_what_cannot_be_used_is_passed_over_and_told(publish, lookup, sink, record):
    publish(record)
    found = await lookup.find(HOST)
    assert found.state is DaneState.UNUSABLE  # not "none": TLS is a must
    assert found.records == ()
    assert sink.lines[0].startswith(
        f"smtp: warning: unusable TLSA RR for {MX}: {record[0]} {record[1]} {record[2]}: "
    )
    publish(record, (3, 1, 1, D256), name=f"_26._tcp.{MX}")
    found = await lookup.find(HOST._replace(port=26))
    assert found.records == (Tlsa(3, 1, 1, D256),)


async def test_whole_keys_can_be_used(publish, lookup):
    publish((3, 1, 0, KEY))
    assert (await lookup.find(HOST)).records == (Tlsa(3, 1, 0, KEY),)


async def test_the_stronger_digest_counts_for_each_usage_and_selector(publish, lookup, resolver, sink):
    # RFC 7671 9: and whole keys beside any digest.
    publish((3, 1, 1, D256), (3, 1, 2, D512), (3, 1, 0, KEY), (2, 0, 1, D256), (2, 1, 1, D256))
    kept = {(r.usage, r.selector, r.matching) for r in (await lookup.find(HOST)).records}
    assert kept == {(3, 1, 2), (3, 1, 0), (2, 0, 1), (2, 1, 1)}
    other = DaneLookup(resolver, ("sha256", "sha512"), Log(sink))
    assert Tlsa(3, 1, 1, D256) in (await other.find(HOST)).records
    alone = DaneLookup(resolver, ("sha512",), Log(sink))
    assert {r.matching for r in (await alone.find(HOST)).records} == {0, 2}


async def test_a_malformed_stronger_digest_does_not_push_out_a_good_one(publish, lookup):
    publish((3, 1, 1, D256), (3, 1, 2, b"short"))
    assert (await lookup.find(HOST)).records == (Tlsa(3, 1, 1, D256),)


async def test_records_that_nobody_vouches_for_are_none(publish, lookup):
    publish((3, 1, 1, D256), ad=False)
    assert (await lookup.find(HOST)).state is DaneState.NONE


async def test_no_records_and_no_name_are_none(stub, lookup):
    stub.zone[f"_25._tcp.{MX}", "A"] = []
    assert (await lookup.find(HOST)).state is DaneState.NONE
    assert (await lookup.find(HOST._replace(name="y.example", canonical="y.example"))).state is DaneState.NONE


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_what_cannot_be_looked_up_is_not_none(stub, lookup, code):
    stub.zone[f"_25._tcp.{MX}", "TLSA"] = int(code)
    with pytest.raises(LookupUnavailable, match=rf"^TLSA lookup error for {MX}:25$"):
        await lookup.find(HOST)


async def test_an_unsigned_host_is_not_asked_about(publish, lookup, stub):
    publish((3, 1, 1, D256))
    assert (await lookup.find(HOST._replace(secure=False))).state is DaneState.INSECURE
    assert stub.asked == []
    assert (await lookup.find(HOST._replace(secure=False), force=True)).state is DaneState.USABLE


# --- aliases (RFC 7672 2.2.2)

ALIAS = HOST._replace(name="alias.x.example")


async def test_the_end_of_the_aliases_is_asked_first(publish, lookup, stub):
    publish((3, 1, 1, D256), name="_25._tcp.alias.x.example")
    assert (await lookup.find(ALIAS)).base == "alias.x.example"
    assert [name for name, _, _ in stub.asked] == [f"_25._tcp.{MX}", "_25._tcp.alias.x.example"]


async def test_unusable_records_at_the_end_are_an_answer(publish, lookup):
    publish((3, 1, 1, b"short"))
    publish((3, 1, 1, D256), name="_25._tcp.alias.x.example")
    assert (await lookup.find(ALIAS)).state is DaneState.UNUSABLE


async def test_a_failure_at_the_end_is_not_covered_up(publish, lookup, stub):
    stub.zone[f"_25._tcp.{MX}", "TLSA"] = int(dns.rcode.SERVFAIL)
    publish((3, 1, 1, D256), name="_25._tcp.alias.x.example")
    with pytest.raises(LookupUnavailable):
        await lookup.find(ALIAS)


@pytest.mark.parametrize(("ad", "state"), [(True, DaneState.USABLE), (False, DaneState.INSECURE)])
async def test_a_signed_alias_out_of_the_signed_world(publish, lookup, stub, reply, ad, state):
    publish((3, 1, 1, D256), name="_25._tcp.alias.x.example")
    stub.zone["alias.x.example", "CNAME"] = lambda query, _tcp: [
        reply(query, f"alias.x.example. 60 CNAME {MX}.", ad=ad)
    ]
    assert (await lookup.find(ALIAS._replace(secure=False))).state is state


# --- hostile answers


@pytest.mark.parametrize("data", [b"", b"\x03", b"\x03\x01", b"\x03\x01\x01"])
async def test_a_record_that_is_too_short_is_unusable_and_spoils_no_other(stub, lookup, data):
    stub.zone[f"_25._tcp.{MX}", "TLSA"] = lambda query, _tcp: [raw(query, data, ad=True)]
    assert (await lookup.find(HOST)).state is DaneState.UNUSABLE
    good = bytes((3, 1, 1)) + D256
    stub.zone[f"_26._tcp.{MX}", "TLSA"] = lambda query, _tcp: [raw(query, data, good, ad=True)]
    assert (await lookup.find(HOST._replace(port=26))).records == (Tlsa(3, 1, 1, D256),)


async def test_hundreds_of_records_are_cut(publish, lookup):
    publish(*((3, 1, 1, hashlib.sha256(bytes((n // 256, n % 256))).digest()) for n in range(900)))
    found = await lookup.find(HOST)
    assert len(found.records) == 100


async def test_a_huge_record_is_not_kept_and_not_read(publish, lookup, stub, sink):
    publish((2, 0, 0, b"\x30" * 60000))
    assert (await lookup.find(HOST)).state is DaneState.UNUSABLE
    assert sink.lines[0].endswith("too long")
    asked = len(stub.asked)
    await lookup.find(HOST)
    assert len(stub.asked) > asked


async def test_equal_records_are_one(publish, lookup):
    publish((3, 1, 1, D256), (3, 1, 1, D256))
    assert len((await lookup.find(HOST)).records) == 1


# --- settings


def test_digests_are_read_in_order():
    assert read_digests(["sha512", "SHA256"]) == ("sha512", "sha256")
    assert read_digests(["sha256=1", "sha512=2", "sha256"]) == ("sha256", "sha512")


@pytest.mark.parametrize("word", ["sha1", "sha256=2", "sha512=", "=1", "md5=7"])
def test_what_is_no_digest_is_refused(word):
    with pytest.raises(ValueError, match=word):
        read_digests([word])


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"smtp_dns_support_level": "dnssec"}, ""),
        ({"smtp_dns_support_level": "dnssec", "smtp_host_lookup": "native, dns"}, ""),
        ({}, "with dnssec lookups disabled"),
        ({"smtp_dns_support_level": "enabled"}, "with dnssec lookups disabled"),
        ({"smtp_dns_support_level": "dnssec", "smtp_host_lookup": "native"}, "with dnssec lookups disabled"),
        ({"smtp_dns_support_level": "dnssec", "tls_dane_digests": ""}, "with no digests in tls_dane_digests"),
    ],
)
def test_what_keeps_dane_from_being_used(texts, words):
    settings = settings_of([model_params, net_params], compatibility_level="3.6", **texts)
    assert flaw(settings, "smtp") == words
    assert flaw(settings, "lmtp") == "with dnssec lookups disabled" or texts.get("tls_dane_digests") == ""


# --- is the resolver one that validates?


async def settled(sink, lines):
    await until(lambda: len(sink.lines) >= lines)
    return sink.lines


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (lambda query, _tcp: [reply_root(query)], "a response that is not DNSSEC validated"),
        (int(dns.rcode.SERVFAIL), "no response: Host not found, try again"),
    ],
)
async def test_a_resolver_that_does_not_validate_is_told_once(stub, resolver, sink, entry, reason):
    stub.zone[".", "NS"] = entry
    lookup = DaneLookup(resolver, ("sha256",), Log(sink), probe="ns:.")
    for _ in range(2):
        assert (await lookup.find(HOST._replace(secure=False))).state is DaneState.INSECURE
        assert await settled(sink, 2) == [
            "smtp: warning: DNSSEC validation may be unavailable",
            f"smtp: warning: reason: dnssec_probe 'ns:.' received {reason}",
        ]


def reply_root(query, *, ad=False):
    response = dns.message.make_response(query, recursion_available=True)
    response.answer.append(dns.rrset.from_text(".", 60, "IN", "NS", "a.root."))
    if ad:
        response.flags |= dns.flags.AD
    return response.to_wire()


async def test_a_resolver_that_validates_is_not(stub, resolver, sink):
    asked = asyncio.Event()

    def answer(query, _tcp):
        asked.set()
        return [reply_root(query, ad=True)]

    stub.zone[".", "NS"] = answer
    lookup = DaneLookup(resolver, ("sha256",), Log(sink), probe="ns:.")
    await lookup.find(HOST._replace(secure=False))
    await asked.wait()
    assert (await resolver.query(".", "NS")).authentic
    assert sink.lines == []


async def test_where_something_is_validated_nothing_is_probed(publish, stub, resolver, sink):
    publish((3, 1, 1, D256))
    lookup = DaneLookup(resolver, ("sha256",), Log(sink), probe="ns:.")
    await lookup.find(HOST)
    await lookup.find(HOST._replace(secure=False))
    assert [kind for _, kind, _ in stub.asked] == ["TLSA"]


@pytest.mark.parametrize("text", ["ns", ":x", "ns:", "tlsa:x", "any:."])
def test_a_probe_is_a_type_and_a_name(text):
    with pytest.raises(ValueError, match="type:name"):
        settings_of([model_params, net_params], compatibility_level="3.6", dnssec_probe=text)
