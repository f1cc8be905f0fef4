"""Keys and certificates that other programs accept, and records that fit them."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from postroad.admin.tls_keys import (
    first_certificate,
    host_names,
    new_key,
    read_key,
    request,
    self_signed,
    tlsa,
    write_private,
)

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def key():
    return read_key(new_key())


def test_a_key_is_ecdsa_unless_rsa_is_wanted(key):
    assert isinstance(key.curve, ec.SECP256R1)
    made = read_key(new_key(2048))
    assert isinstance(made, rsa.RSAPrivateKey)
    assert made.key_size == 2048


def test_a_certificate_is_for_its_names_and_for_so_long(key):
    made = first_certificate(self_signed(key, ["mx.example.test", "b\u00fccher.example"], 30, NOW))
    assert host_names(made) == ["mx.example.test", "xn--bcher-kva.example"]
    assert made.not_valid_after_utc.timestamp() == NOW + 30 * 86400
    assert made.not_valid_before_utc.timestamp() < NOW
    made.verify_directly_issued_by(made)


def test_a_request_names_them_too(key):
    made = x509.load_pem_x509_csr(request(key, ["mx.example.test", "*.example.test"]))
    assert made.is_signature_valid
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.test", "*.example.test"]


def test_openssl_reads_them(key, tmp_path):
    (tmp_path / "csr").write_bytes(request(key, ["x" * 60 + ".example.test"]))
    done = subprocess.run(
        ["openssl", "req", "-in", str(tmp_path / "csr"), "-noout", "-verify"], capture_output=True, check=True
    )
    assert b"verify OK" in done.stderr + done.stdout


def test_edwards_keys_sign_without_a_digest():
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert first_certificate(self_signed(read_key(pem), ["x.test"], 1, NOW)) is not None


@pytest.mark.parametrize("name", ["", "a b", "-x.test", "*.*.test", "x\n.test"])
def test_what_is_no_host_name_gets_no_certificate(key, name):
    with pytest.raises(ValueError, match="not a host name"):
        request(key, [name])


def test_what_is_no_key_is_told(key):
    with pytest.raises(ValueError, match="no private key"):
        read_key(b"-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n")
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    with pytest.raises(ValueError, match="passphrase"):
        read_key(locked)


def test_records_are_of_the_key_or_of_the_certificate(key):
    pem = self_signed(key, ["mx.example.test"], 1, NOW)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    der = first_certificate(pem).public_bytes(Encoding.DER)
    assert tlsa(pem) == f"3 1 1 {hashlib.sha256(public).hexdigest()}"
    assert tlsa(pem, usage=2, selector=0, matching=2) == f"2 0 2 {hashlib.sha512(der).hexdigest()}"
    assert tlsa(pem, matching=0) == f"3 1 0 {public.hex()}"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert tlsa(private) == tlsa(pem)
    assert tlsa(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)) == tlsa(pem)
    assert tlsa(private + pem, selector=0) == f"3 0 1 {hashlib.sha256(der).hexdigest()}"


def test_a_record_needs_what_it_is_about(key):
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="selector 0"):
        tlsa(private, selector=0)
    with pytest.raises(ValueError, match="neither"):
        tlsa(b"nothing")


def test_a_file_is_its_owners_and_no_other_is_overwritten(tmp_path):
    path = tmp_path / "key"
    write_private(str(path), b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_private(str(path), b"two")
    assert path.read_bytes() == b"one"
