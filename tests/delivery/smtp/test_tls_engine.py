from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from delivery.smtp.conftest import settings
from delivery.smtp.tlsserver import make
from postroad.base.clock import TestClock
from postroad.delivery.smtp.tls_engine import TlsEngine
from postroad.net.tls.errors import TlsError

CA = make("CA", authority=True)
LEAF = make("there.example", by=CA, send_issuer=True)
OWN = make("client.example", by=CA)
KEY = OWN.all.partition(b"-----BEGIN CERTIFICATE")[0]


def engine(files=None, **texts):
    return TlsEngine(settings(**texts), "smtp", files or {}, TestClock().steady)


@pytest.mark.parametrize(
    "texts",
    [
        {"smtp_tls_chain_files": "/all.pem"},
        {"smtp_tls_cert_file": "/all.pem"},
        {"smtp_tls_cert_file": "/cert.pem", "smtp_tls_key_file": "/key.pem"},
        {"smtp_tls_eccert_file": "/cert.pem", "smtp_tls_eckey_file": "/key.pem"},
    ],
)
def test_the_clients_certificate_comes_from_the_files_that_were_given(texts):
    files = {"/all.pem": OWN.all, "/cert.pem": OWN.pem, "/key.pem": KEY}
    made = engine(files, **texts)
    assert made.flaw == ""
    assert [chain.certificate for chain in made.tls._chains] == [OWN.certificate]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"smtp_tls_cert_file": "/missing"}, "/missing: cannot be read"),
        ({"smtp_tls_CAfile": "/missing"}, "/missing: cannot be read"),
        ({"smtp_tls_CAfile": "/bad"}, "/bad: no certificate"),
        ({"smtp_tls_cert_file": "/bad"}, "/bad"),
        (
            {"smtp_tls_fingerprint_digest": "md6"},
            'smtp_tls_fingerprint_digest: no message digest is called "md6"',
        ),
    ],
)
def test_with_settings_that_cannot_be_used_there_is_no_tls(texts, words):
    made = engine({"/bad": b"nonsense"}, **texts)
    assert made.tls is None
    assert words in made.flaw


def test_new_files_that_cannot_be_used_leave_the_old_ones():
    made = engine({"/ca.pem": CA.pem}, smtp_tls_CAfile="/ca.pem")
    with pytest.raises(TlsError):
        made.replace({"/ca.pem": b"nonsense"})
    assert made.authorities(()).fault(LEAF.sent, 9) == ""
    made.replace({"/ca.pem": make("Other", authority=True).pem})
    assert made.authorities(()).fault(LEAF.sent, 9) != ""


@pytest.mark.parametrize("texts", [{}, {"tls_append_default_CA": "yes"}])
def test_without_authorities_nobody_is_trusted(texts):
    assert engine(**texts).authorities(()).fault(LEAF.sent, 9) != ""


def test_anchors_are_read_from_files_that_a_table_names(tmp_path):
    path = Path(tmp_path, "ta.pem")
    path.write_bytes(CA.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    made = engine()
    assert made.authorities((str(path),)).fault(LEAF.sent, 9) == ""
    assert made.authorities((str(path),)) is made.authorities((str(path),))
    assert engine({"/ta.pem": CA.pem}).authorities(("/ta.pem",)).fault(LEAF.sent, 9) == ""


def test_anchors_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    with pytest.raises(TlsError, match="error opening trust anchor file: /nonexistent: No such file"):
        engine().authorities(("/nonexistent",))
    path = Path(tmp_path, "big.pem")
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr("postroad.delivery.smtp.tls_engine._PEM_LIMIT", 99)
    with pytest.raises(TlsError, match="larger than 99 bytes"):
        engine().authorities((str(path),))


def test_anchors_in_memory_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("postroad.delivery.smtp.tls_engine._ANCHOR_SETS", 2)
    made = engine({f"/{number}": CA.pem for number in range(5)})
    for number in range(5):
        made.authorities((f"/{number}",))
    assert len(made._anchors) <= 2
