"""Levels and certificates: who is let through."""

import hashlib

import pytest

from delivery.smtp.tlsserver import CLIENT_ONLY, DAY, make
from postroad.net.dane import Tlsa
from postroad.net.tls.verify import CHAIN_LIMIT, Demand, fingerprints, judge, matches, public_key
from postroad.net.tls.verify_chain import Authorities

CA = make("CA", authority=True)
OTHER = make("Other CA", authority=True)
GOOD = make("there.example", by=CA, send_issuer=True)
CERTIFICATES = {
    "good": GOOD,
    "expired": make("there.example", by=CA, begins=-3 * DAY, ends=-DAY, send_issuer=True),
    "wrong name": make("other.example", by=CA, send_issuer=True),
    "self-signed": make("there.example"),
    "other authority": make("there.example", by=OTHER, send_issuer=True),
    "for clients": make("there.example", by=CA, usage=CLIENT_ONLY, send_issuer=True),
}
TRUST = Authorities([CA.der])
EE = Tlsa(3, 1, 1, hashlib.sha256(GOOD.key_der).digest())
TA = Tlsa(2, 0, 1, hashlib.sha256(CA.der).digest())
FINGERPRINT = hashlib.sha256(GOOD.der).hexdigest()
NAMES = ("there.example",)
DEMANDS = {
    "encrypt": Demand(),
    "fingerprint": Demand("fingerprint", fingerprints=(FINGERPRINT,)),
    "verify": Demand("verify", NAMES),
    "dane-ee": Demand("dane", NAMES, records=(EE,)),
    "dane-ta": Demand("dane", NAMES, records=(TA,)),
    "dane, insecure": Demand("dane", NAMES, records=(EE,), secure=False),
}
#: Level, certificate -> what is logged; who is not here is "Untrusted", and not let through at a level.
TABLE = {
    ("encrypt", "good"): "Trusted",
    ("encrypt", "wrong name"): "Trusted",
    ("fingerprint", "good"): "Verified",
    ("verify", "good"): "Verified",
    ("dane-ee", "good"): "Verified",
    ("dane-ta", "good"): "Verified",
    ("dane, insecure", "good"): "Trusted",
}


@pytest.mark.parametrize("kind", CERTIFICATES)
@pytest.mark.parametrize("level", DEMANDS)
def test_a_level_lets_its_certificates_through(level, kind):
    verdict = judge(CERTIFICATES[kind].sent, DEMANDS[level], TRUST)
    expected = TABLE.get((level, kind))
    assert verdict.trust == (expected or "Untrusted")
    assert verdict.matched == (expected is not None or level == "encrypt")
    assert bool(verdict.fault) == (expected is None)


@pytest.mark.parametrize("level", DEMANDS)
def test_without_a_certificate_only_encryption_is_there(level):
    verdict = judge([], DEMANDS[level], TRUST)
    assert (verdict.trust, verdict.matched) == ("Anonymous", level == "encrypt")


@pytest.mark.parametrize(
    ("level", "kind", "words"),
    [
        ("verify", "wrong name", "num=62:hostname mismatch"),
        ("verify", "self-signed", "self-signed certificate"),
        ("verify", "other authority", "self-signed certificate"),
        ("verify", "expired", "certificate has expired"),
        ("dane-ta", "wrong name", "num=62:hostname mismatch"),
        ("dane-ta", "expired", "certificate has expired"),
        ("dane-ta", "other authority", "not trusted by local or TLSA policy"),
        ("dane-ee", "self-signed", "not trusted by local or TLSA policy"),
    ],
)
def test_the_fault_says_why(level, kind, words):
    fault = judge(CERTIFICATES[kind].sent, DEMANDS[level], TRUST).fault
    assert fault.format("H").endswith(f"certificate verification failed for H: {words}")


def test_the_name_that_was_wanted_is_told():
    demand = Demand("verify", (".example", "there.example"))
    assert judge(GOOD.sent, demand, TRUST).name == "there.example"


def test_nobody_asked_for_trust_is_untrusted():
    assert judge(GOOD.sent, Demand(), None).trust == "Untrusted"
    assert not judge(GOOD.sent, Demand("verify", NAMES), None).matched


def test_a_demand_without_names_is_met_by_none():
    assert not judge(GOOD.sent, Demand("verify"), TRUST).matched
    assert not judge(GOOD.sent, Demand("dane"), TRUST).matched
    assert not judge(GOOD.sent, Demand("fingerprint"), TRUST).matched


# --- fingerprints


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha512"])
def test_the_fingerprint_may_be_of_the_certificate_or_of_its_key(digest):
    for data in (GOOD.der, GOOD.key_der):
        made = hashlib.new(digest, data).hexdigest()
        assert judge(GOOD.sent, Demand("fingerprint", fingerprints=(made,), digest=digest), None).matched


def test_only_the_servers_own_certificate_has_a_fingerprint():
    made = hashlib.sha256(CA.der).hexdigest()
    assert not judge(GOOD.sent, Demand("fingerprint", fingerprints=(made,)), None).matched


def test_a_key_that_cannot_be_read_matches_nothing():
    assert fingerprints(b"nonsense", "sha256")[1] == ""
    assert public_key(b"nonsense") == b""
    assert not judge([b"nonsense"], Demand("fingerprint", fingerprints=("",)), None).matched
    assert not matches(EE, b"nonsense")


# --- DANE


def hashed(matching, data):
    return {0: bytes, 1: lambda d: hashlib.sha256(d).digest(), 2: lambda d: hashlib.sha512(d).digest()}[
        matching
    ](data)


@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("usage", [2, 3])
def test_every_form_of_a_record_matches(usage, selector, matching):
    pair = CA if usage == 2 else GOOD
    data = pair.der if selector == 0 else pair.key_der
    record = Tlsa(usage, selector, matching, hashed(matching, data))
    demand = Demand("dane", NAMES, records=(record,))
    assert judge(GOOD.sent, demand, None).trust == "Verified"
    other = make("there.example", by=OTHER, send_issuer=True)
    assert not judge(other.sent, demand, None).matched


@pytest.mark.parametrize("selector", [0, 1])
def test_a_whole_record_of_an_authority_stands_for_one_that_is_not_sent(selector):
    alone = make("there.example", by=CA)
    whole = Tlsa(2, selector, 0, CA.der if selector == 0 else CA.key_der)
    assert judge(alone.sent, Demand("dane", NAMES, records=(whole,)), None).matched
    assert not judge(alone.sent, Demand("dane", NAMES, records=(TA,)), None).matched


def test_an_authority_in_the_middle_is_enough():
    middle = make("Middle", by=CA, authority=True, send_issuer=True)
    leaf = make("there.example", by=middle, send_issuer=True)
    record = Tlsa(2, 1, 1, hashlib.sha256(middle.key_der).digest())
    assert judge(leaf.sent, Demand("dane", NAMES, records=(record,)), None).matched
    assert judge(leaf.sent[:2], Demand("dane", NAMES, records=(record,)), None).matched


def test_neither_names_nor_dates_count_for_the_servers_own_record():
    pair = make("whatever", begins=-3 * DAY, ends=-DAY)
    record = Tlsa(3, 0, 1, hashlib.sha256(pair.der).digest())
    assert judge(pair.sent, Demand("dane", NAMES, records=(record,)), None).matched


def test_a_record_of_an_authority_is_none_for_the_servers_own_certificate():
    record = Tlsa(2, 0, 1, hashlib.sha256(GOOD.der).digest())
    assert not judge(GOOD.sent, Demand("dane", NAMES, records=(record,)), TRUST).matched
    record = Tlsa(3, 0, 1, hashlib.sha256(CA.der).digest())
    assert not judge(GOOD.sent, Demand("dane", NAMES, records=(record,)), TRUST).matched


def test_an_authority_that_is_shown_and_has_not_signed_is_worth_nothing():
    forged = make("there.example", by=OTHER)
    assert not judge([forged.der, CA.der], Demand("dane", NAMES, records=(TA,)), None).matched


def test_one_of_several_records_is_enough():
    wrong = Tlsa(3, 1, 1, b"x" * 32)
    assert judge(GOOD.sent, Demand("dane", NAMES, records=(wrong, TA)), None).matched


def test_a_malformed_record_stops_nothing_but_itself():
    bad = Tlsa(2, 1, 0, b"nonsense")
    assert not judge(GOOD.sent, Demand("dane", NAMES, records=(bad,)), None).matched
    assert judge(GOOD.sent, Demand("dane", NAMES, records=(EE, bad)), None).matched


def test_a_chain_without_end_is_cut():
    assert not judge([make("x").der] * (CHAIN_LIMIT * 3), Demand("verify", NAMES), TRUST).matched
