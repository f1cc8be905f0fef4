import os

import pytest
from cryptography.hazmat.primitives import serialization

from peers.certificates import Authority, self_signed
from peers.tlsends import pem
from postroad.net.tls.chains import Chain, add_authorities, file_of, read_chains, read_pair
from postroad.net.tls.context import new_context
from postroad.net.tls.errors import TlsError

ROOT = Authority("root")
BETWEEN = Authority("between", above=ROOT)
ONE = BETWEEN.issue("one.test")
RSA = self_signed("rsa.test", kind="rsa")


def test_each_key_stands_before_its_chain():
    chains = read_chains([("/all.pem", b"text before\n" + pem(ONE) + b"text between\n" + pem(RSA))])
    assert [chain.name for chain in chains] == ["/all.pem", "/all.pem"]
    assert [chain.certificates.count(b"BEGIN CERTIFICATE") for chain in chains] == [2, 1]
    assert chains[0].certificate == ONE.certificate
    context = new_context()
    for chain in chains:
        chain.put_into(context)


def test_files_count_as_one():
    chains = read_chains(
        [("/key.pem", ONE.key_pem), ("/cert.pem", ONE.certificate_pem), ("/rsa.pem", pem(RSA))]
    )
    assert [chain.name for chain in chains] == ["/key.pem, /cert.pem", "/rsa.pem"]
    assert read_chains([("/dos.pem", pem(ONE).replace(b"\n", b"\r\n"))])[0].certificate == ONE.certificate


def test_parameters_beside_a_key_are_no_matter():
    extra = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert len(read_chains([("/a.pem", extra + pem(ONE))])) == 1


ENCRYPTED = ONE.key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
)
OLD_ENCRYPTED = RSA.key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.BestAvailableEncryption(b"x"),
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "/a.pem: no private key and no certificate in PEM"),
        (b"\x00\xff" * 100, "/a.pem: no private key and no certificate in PEM"),
        (ONE.certificate_pem + ONE.key_pem, "/a.pem: a certificate stands before the first private key"),
        (ONE.key_pem, "/a.pem: no certificate behind a private key"),
        (ONE.key_pem + pem(RSA), "/a.pem: no certificate behind a private key"),
        (ENCRYPTED + ONE.certificate_pem, "/a.pem: the private key is protected by a password"),
        (OLD_ENCRYPTED + RSA.certificate_pem, "/a.pem: the private key is protected by a password"),
        (
            ONE.key_pem.replace(b"M", b"A", 3) + ONE.certificate_pem,
            "/a.pem: the private key cannot be read: ",
        ),
        (pem(ONE) + pem(self_signed("two.test")), "/a.pem: a second key of the same sort as that of /a.pem"),
    ],
)
def test_what_is_no_chain_is_named_with_its_file(text, reason):
    with pytest.raises(TlsError) as caught:
        read_chains([("/a.pem", text)])
    assert str(caught.value).startswith(reason)


def test_a_key_of_another_certificate_is_named():
    reason = "/c.pem, /k.pem: the private key is not that of the certificate"
    for other in (self_signed("x.test"), RSA):
        with pytest.raises(TlsError) as caught:
            read_pair(("/c.pem", other.certificate_pem), ("/k.pem", ONE.key_pem))
        assert str(caught.value) == reason


def test_openssl_has_the_last_word_on_a_key():
    chain = Chain("/c.pem", ONE.key, self_signed("x.test").certificate_pem)
    with pytest.raises(TlsError) as caught:
        chain.put_into(new_context())
    assert str(caught.value) == "/c.pem: error:05800074:x509 certificate routines::key values mismatch"


def test_a_damaged_certificate_is_named():
    broken = ONE.key_pem + ONE.certificate_pem.replace(b"MII", b"AAA", 1)
    with pytest.raises(TlsError, match=r"^/a.pem: error:"):
        read_chains([("/a.pem", broken)])[0].put_into(new_context())


def test_a_certificate_and_its_key():
    both = ("/both.pem", ONE.certificate_pem + ONE.key_pem)
    assert read_pair(both, both).name == "/both.pem"
    with pytest.raises(TlsError, match=r"^/k.pem: no private key in PEM"):
        read_pair(("/c.pem", ONE.certificate_pem), ("/k.pem", b""))
    with pytest.raises(TlsError, match=r"^/c.pem: no certificate in PEM"):
        read_pair(("/c.pem", b""), ("/k.pem", ONE.key_pem))


def test_authorities():
    add_authorities(new_context(), ("/ca.pem", ROOT.pem + BETWEEN.pem + ROOT.pem))
    with pytest.raises(TlsError, match=r"^/ca.pem: no certificate in PEM"):
        add_authorities(new_context(), ("/ca.pem", ONE.key_pem))
    with pytest.raises(TlsError, match=r"^/ca.pem: "):
        add_authorities(new_context(), ("/ca.pem", ROOT.pem.replace(b"MII", b"AAA")))


def test_a_file_for_a_while(monkeypatch):
    with file_of(b"text") as path, open(path, "rb") as file:
        assert file.read() == b"text"
    monkeypatch.delattr("os.memfd_create")
    with file_of(b"text") as path, open(path, "rb") as file:
        assert file.read() == b"text"
    assert not os.path.exists(path)
