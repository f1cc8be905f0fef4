import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from delivery.smtp.tlsserver import make
from postroad.net.tls.errors import TlsError
from postroad.net.tls.verify_pem import read_anchors

ONE, TWO = make("one", authority=True), make("two", authority=True)
KEY = ONE.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_certificates_and_keys_are_read_in_any_order():
    found = read_anchors("x", b"words\n" + ONE.pem + KEY + b"# more\n" + TWO.pem)
    assert found.certificates == (ONE.der, TWO.der)
    assert [key.public_numbers() for key in found.keys] == [ONE.key.public_key().public_numbers()]


def test_private_keys_are_no_anchors():
    assert read_anchors("x", ONE.all).keys == ()


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "/x: no certificate and no public key"),
        (b"-----BEGIN CERTIFICATE-----\nnonsense!\n-----END CERTIFICATE-----\n", "/x: malformed certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "/x: malformed public key"),
    ],
)
def test_what_cannot_be_read_is_told(pem, words):
    with pytest.raises(TlsError, match=words):
        read_anchors("/x", pem)
