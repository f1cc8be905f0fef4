import pytest

from delivery.smtp.conftest import settings
from postroad.delivery.smtp import tls_params as p


@pytest.mark.parametrize(
    ("pair", "smtp", "lmtp"),
    [
        (p.TLS_SECURITY_LEVEL, "", ""),
        (p.TLS_SECURE_CERT_MATCH, "nexthop, dot-nexthop", "nexthop"),
        (p.TLS_PROTOCOLS, ">=TLSv1", ">=TLSv1"),
        (p.TLS_SESSION_CACHE_TIMEOUT, 3600, 3600),
        (p.STARTTLS_TIMEOUT, 300, 300),
        (p.TLS_CONNECTION_REUSE, False, False),
    ],
)
def test_each_client_has_its_own_default(pair, smtp, lmtp):
    made = settings()
    assert (made[pair["smtp"]], made[pair["lmtp"]]) == (smtp, lmtp)


def test_a_key_is_beside_its_certificate_by_default():
    made = settings(smtp_tls_cert_file="/x", lmtp_tls_eccert_file="/y")
    assert made[p.TLS_KEY_FILE["smtp"]] == "/x"
    assert made[p.TLS_KEY_FILE["lmtp"]] == ""
    assert made[p.TLS_ECKEY_FILE["lmtp"]] == "/y"


@pytest.mark.parametrize(("level", "policy"), [("dane", "dane"), ("may", "may"), ("dane-only", "may")])
def test_insecure_mx_records_weigh_what_the_level_says(level, policy):
    assert settings(smtp_tls_security_level=level)[p.TLS_DANE_INSECURE_MX_POLICY] == policy


@pytest.mark.parametrize(("level", "digest"), [("3.6", "sha256"), ("2", "md5")])
def test_the_digest_follows_the_compatibility_level(level, digest):
    assert settings(compatibility_level=level)[p.TLS_FINGERPRINT_DIGEST["smtp"]] == digest


def test_an_unknown_level_is_a_mistake():
    with pytest.raises(ValueError, match="expected one of"):
        settings(smtp_tls_security_level="perhaps")
