import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from peers.certificates import self_signed
from peers.tlsends import client_context, client_of, meet, pump, server_of, settings
from postroad.net.tls import ciphers, facts, openssl
from postroad.net.tls.server import ServerTls

PAIR = self_signed("mx.test")


SHA256 = hashes.SHA256()
RSA_KEY = rsa.generate_private_key(65537, 2048)


def certificate(key, *, digest=SHA256, common="mx.test", organization=""):
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else []
    if organization:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    name = x509.Name(names)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 5)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=2046))
        .sign(key, digest)
    )


class Served:
    """A certificate with its key, as ``server_of`` takes it."""

    def __init__(self, key, digest=SHA256):
        from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

        self.key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.certificate = certificate(key, digest=digest)
        self.certificate_pem = self.certificate.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("key", "digest", "signature", "by"),
    [
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), "ECDSA (prime256v1)", "SHA256"),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA256(), "ECDSA (secp384r1)", "SHA384"),
        (RSA_KEY, hashes.SHA256(), "RSA-PSS (2048 bits)", "SHA256"),
        (ed25519.Ed25519PrivateKey.generate(), None, "ED25519", ""),
    ],
)
def test_signatures_are_written_as_postfix_writes_them(key, digest, signature, by):
    # seen in the log of Postfix 3.7: "server-signature RSA-PSS (2048 bits) server-digest SHA256",
    # "server-signature ECDSA (secp384r1) server-digest SHA384", "server-signature ED25519"
    client, accepted = meet(server_of(Served(key, digest)))
    for end in (client, accepted):
        assert (end.facts().server_signature, end.facts().server_digest) == (signature, by)


def test_a_session_that_is_gone_on_with_names_the_keys_without_a_digest():
    # Postfix 3.7: "key-exchange X25519 server-signature ECDSA (prime256v1) client-signature ECDSA (prime256v1)"
    context = client_context(PAIR)
    server = server_of(Served(RSA_KEY), smtpd_tls_ask_ccert="yes")
    client, _ = meet(server, context)
    again, accepted = meet(server, context, session=client.connection.get_session())
    facts_there = accepted.facts()
    assert facts_there.resumed
    assert (facts_there.server_signature, facts_there.server_digest) == ("RSA-PSS (2048 bits)", "")
    assert (facts_there.client_signature, facts_there.client_digest) == ("ECDSA (prime256v1)", "")
    facts_here = again.facts()
    assert (facts_here.server_signature, facts_here.client_signature) == ("RSA-PSS (2048 bits)", "")


def test_the_text_is_that_of_postfix():
    _, accepted = meet(server_of(PAIR), SSL.Context(SSL.TLS_METHOD))
    assert accepted.facts().describe() == (
        "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
        " key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256"
    )
    _, accepted = meet(server_of(PAIR), old=True)
    assert accepted.facts().describe() == "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("X25519", "X25519"),
        ("X448", "X448"),
        ("prime256v1", "ECDHE (prime256v1)"),
        ("secp384r1", "ECDHE (secp384r1)"),
        ("ffdhe2048", "DHE (2048 bits)"),
        ("X25519MLKEM768", "X25519MLKEM768"),
    ],
)
def test_groups_are_written_as_postfix_writes_them(group, name):
    context = client_context()
    ciphers.set_groups(context, [group])
    client, accepted = client_of(context), server_of(PAIR, tls_eecdh_auto_curves=group).accept()
    pump(client, accepted)
    assert accepted.facts().key_exchange == name
    assert client.facts().key_exchange == name


def test_bits_that_count_and_bits_there_are():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    found = meet(server_of(PAIR), context, old=True)[1].facts()
    assert (found.used_bits, found.algorithm_bits) == (128, 128)
    assert openssl.cipher_bits(server_of(PAIR).accept().connection) == (0, 0)


def test_names_of_a_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    der = certificate(key, common="", organization="Some Org").public_bytes(Encoding.DER)
    peer = facts.peer_of(der, trusted=True, digest="sha256")
    assert (peer.subject, peer.issuer, peer.trusted) == ("", "Some Org", True)
    assert peer.certificate_fingerprint == hashlib.sha256(der).digest().hex(":").upper()
    two = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("first", "last")])
    assert facts.common_name(two) == "last"


def test_a_certificate_that_cannot_be_read_has_a_fingerprint_only():
    peer = facts.peer_of(b"0\x03\x02\x01\x05", trusted=False, digest="sha256")
    assert (peer.subject, peer.issuer, peer.key_fingerprint) == ("", "", "")
    assert peer.certificate_fingerprint == hashlib.sha256(b"0\x03\x02\x01\x05").digest().hex(":").upper()


def test_the_end_point_is_hashed_as_the_certificate_was_signed():
    key = ec.generate_private_key(ec.SECP384R1())
    for digest, name in (
        (hashes.SHA256(), "sha256"),
        (hashes.SHA384(), "sha384"),
        (hashes.SHA512(), "sha512"),
    ):
        der = certificate(key, digest=digest).public_bytes(Encoding.DER)
        assert facts.end_point(der) == hashlib.new(name, der).digest()
    der = certificate(ed25519.Ed25519PrivateKey.generate(), digest=None).public_bytes(Encoding.DER)
    assert facts.end_point(der) == b""
    assert facts.end_point(b"not a certificate") == b""


@pytest.mark.parametrize("digest", [hashes.MD5(), hashes.SHA1()])
def test_old_digests_are_replaced_in_the_end_point(monkeypatch, digest):  # RFC 5929 4.1
    class Old:
        signature_hash_algorithm = digest

    monkeypatch.setattr(facts.x509, "load_der_x509_certificate", lambda _: Old)
    assert facts.end_point(b"der") == hashlib.sha256(b"der").digest()


def test_an_old_session_without_its_master_secret_bound_has_no_exporter(monkeypatch):
    _, accepted = meet(server_of(PAIR), old=True)
    assert accepted.export("tls-exporter")
    monkeypatch.setattr("postroad.net.tls.openssl.extended_master_secret", lambda _: False)
    assert accepted.export("tls-exporter") == b""


def test_a_server_without_a_certificate_has_no_end_point():
    server = ServerTls(settings(smtpd_tls_cert_file="none", smtpd_tls_protocols="!TLSv1.3"), {})
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"aNULL:@SECLEVEL=0")
    _, accepted = meet(server, context, old=True)
    assert accepted.established
    assert accepted.export("tls-server-end-point") == b""
