import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from delivery.smtp.tlsserver import DAY, NOW, make
from postroad.net.tls.verify_names import certificate_names, match_name


@pytest.mark.parametrize(
    ("name", "wanted", "matches"),
    [
        ("mx.example.com", "mx.example.com", True),
        ("mx.example.com", "MX.Example.COM", True),
        ("mx.example.com", "mx.example.com.", True),
        ("mx.example.com", "example.com", False),
        ("xmx.example.com", "mx.example.com", False),
        # .domain stands for what is below it
        ("mx.example.com", ".example.com", True),
        ("a.mx.example.com", ".example.com", True),
        ("example.com", ".example.com", False),
        ("badexample.com", ".example.com", False),
        (".example.com", ".example.com", False),
        ("*.example.com", ".example.com", True),
        # wildcards
        ("*.example.com", "mx.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("*", "com", False),
        ("m*.example.com", "mx.example.com", False),
        ("mx.*.com", "mx.example.com", False),
        ("*.*.com", "mx.example.com", False),
        ("mx.example.com", "*.example.com", False),
        # IDN
        ("xn--bcher-kva.example", "bücher.example", True),
        ("*.xn--bcher-kva.example", "mx.bücher.example", True),
        ("mx.example.com", "", False),
        ("mx.example.com", ".", False),
    ],
)
def test_a_name_is_a_wanted_one(name, wanted, matches):
    assert match_name([name], [wanted]) == (name if matches else "")


@pytest.mark.parametrize(("multi", "matches"), [(True, "*.example.com"), (False, "")])
def test_a_star_may_stand_for_several_labels(multi, matches):
    assert match_name(["*.example.com"], ["a.b.example.com"], multi_label=multi) == matches
    assert match_name(["*.example.com"], ["b.example.com"], multi_label=multi) == "*.example.com"


def test_dns_names_come_before_the_common_name():
    assert certificate_names(make("Common.example", "Other.example").certificate) == [
        "common.example",
        "other.example",
    ]
    assert certificate_names(make("common.example", san=False).certificate) == ["common.example"]


def test_a_certificate_with_addresses_only_has_its_common_name():
    assert certificate_names(make("192.0.2.1").certificate) == ["192.0.2.1"]


def test_a_certificate_without_names_has_none():
    assert certificate_names(make(san=False).certificate) == []


@pytest.mark.parametrize("name", ["bank.example\x00.evil.example", "bank.example ", "b\u00fccher.example"])
def test_what_is_no_host_name_does_not_count(name):
    assert (
        certificate_names(signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, _validate=False)])))
        == []
    )


def test_names_that_cannot_be_read_are_none():
    broken = x509.UnrecognizedExtension(x509.OID_SUBJECT_ALTERNATIVE_NAME, b"\x30\x05nope")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank.example")])
    assert certificate_names(signed(subject, broken)) == []


def signed(subject, *extensions):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())
