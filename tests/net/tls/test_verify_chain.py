import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from delivery.smtp.tlsserver import CLIENT_ONLY, DAY, make
from postroad.net.tls.errors import TlsError
from postroad.net.tls.verify_chain import Authorities

ROOT = make("Root", authority=True)
MIDDLE = make("Middle", by=ROOT, authority=True)
LEAF = make("there.example", by=MIDDLE, send_issuer=True)
SELF = "certificate verification failed for {}: self-signed certificate"


def fault(pair, *trusted, depth=9, **more):
    return Authorities([each.der for each in trusted], **more).fault(pair.sent, depth)


def test_a_chain_to_a_trusted_authority_has_no_fault():
    assert fault(LEAF, ROOT) == ""


def test_nobody_is_trusted_by_nobody():
    assert fault(LEAF) == "certificate verification failed for {}: untrusted issuer /CN=Root"


def test_an_authority_that_is_not_sent_is_missed():
    alone = make("there.example", by=MIDDLE)
    assert fault(alone, ROOT) == "certificate verification failed for {}: untrusted issuer /CN=Middle"


def test_an_authority_of_the_same_name_is_another():
    assert "verification failed" in fault(LEAF, make("Root", authority=True))


def test_self_signed_certificates_vouch_for_nothing():
    alone = make("there.example")
    assert fault(alone, ROOT) == SELF
    forged = make("there.example", by=make("Root", authority=True), send_issuer=True)
    assert fault(forged, MIDDLE) == SELF


def test_a_self_signed_certificate_that_is_trusted_is():
    alone = make("there.example")
    assert fault(alone, alone) == ""


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [(-3 * DAY, -DAY, "certificate has expired"), (DAY, 3 * DAY, "certificate not yet valid")],
)
def test_dates_count_in_the_whole_chain(begins, ends, words):
    leaf = make("there.example", by=ROOT, begins=begins, ends=ends)
    old = make("Old", by=ROOT, authority=True, begins=begins, ends=ends)
    below = make("there.example", by=old, send_issuer=True)
    expected = f"server certificate verification failed for {{}}: {words}"
    assert fault(leaf, ROOT) == fault(below, ROOT) == expected


def test_who_is_no_authority_cannot_sign():
    leaf = make("evil.example", by=make("there.example", by=ROOT), send_issuer=True)
    assert "num=" in fault(leaf, ROOT)


def test_an_authority_may_be_forbidden_to_make_others():
    narrow = make("Narrow", by=ROOT, authority=True, depth=0)
    leaf = make(
        "there.example", by=make("Below", by=narrow, authority=True, send_issuer=True), send_issuer=True
    )
    assert "path length" in fault(leaf, ROOT)


def test_a_certificate_for_clients_is_none_for_servers():
    words = "certificate verification failed for {}: not designated for use as a server certificate"
    assert fault(make("there.example", by=ROOT, usage=CLIENT_ONLY), ROOT) == words
    assert fault(make("there.example", by=ROOT, usage=ExtendedKeyUsageOID.SERVER_AUTH), ROOT) == ""


def test_a_chain_has_a_longest_length():
    assert fault(LEAF, ROOT, depth=2) == ""
    words = "certificate verification failed for {}: certificate chain longer than limit(1)"
    assert fault(LEAF, ROOT, depth=1) == words


def test_an_anchor_may_be_in_the_middle():
    assert fault(LEAF, MIDDLE, anchors=True) == ""
    assert fault(LEAF, MIDDLE) != ""
    assert fault(LEAF, LEAF, anchors=True) == ""


def test_a_key_stands_for_its_authority():
    assert fault(LEAF, keys=[MIDDLE.key.public_key()]) == ""
    assert fault(LEAF, keys=[ROOT.key.public_key()]) == ""
    assert fault(make("there.example", by=ROOT), keys=[ROOT.key.public_key()]) == ""
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert "untrusted issuer" in fault(LEAF, keys=[other])


def test_a_key_makes_no_authority_of_what_it_has_not_signed():
    leaf = make("there.example", by=make("Forged", authority=True), send_issuer=True)
    mixed = [leaf.der, *leaf.sent[1:], MIDDLE.der]
    assert Authorities(keys=[ROOT.key.public_key()]).fault(mixed, 9) != ""


def test_authorities_of_a_directory_are_trusted(tmp_path):

    Path(tmp_path, "root.pem").write_bytes(ROOT.pem)
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    assert fault(LEAF, directory=str(tmp_path)) == ""


def test_those_of_the_system_come_on_top():
    both = Authorities([ROOT.der], system=True)
    assert both.fault(LEAF.sent, 9) == ""
    assert both.fault(make("there.example", by=make("Unknown", authority=True)).sent, 9) != ""


def test_what_is_no_certificate_has_a_fault():
    assert "verification failed" in Authorities([ROOT.der]).fault([b"nonsense"], 9)
    with pytest.raises(TlsError):
        Authorities([b"nonsense"])


def test_braces_in_a_name_do_not_reach_the_log_line():
    leaf = make("there.example", by=make("{0.x}", authority=True))
    assert (
        fault(leaf, ROOT).format("there")
        == "certificate verification failed for there: untrusted issuer /CN=(0.x)"
    )


def test_the_purpose_of_an_authority_counts():
    narrow = make("For clients", by=ROOT, authority=True, usage=CLIENT_ONLY)
    assert "not designated" in fault(make("there.example", by=narrow, send_issuer=True), ROOT)
