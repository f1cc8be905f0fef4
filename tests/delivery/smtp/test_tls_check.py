import pytest

from delivery.smtp.conftest import settings
from postroad.base.errors import Severity
from postroad.delivery.smtp.tls_check import check_tls


def check(program="smtp", **texts):
    made = settings(**{f"{program}_{name}": text for name, text in texts.items()})
    return check_tls(made, program, lambda name: f"main.cf: {name}")


@pytest.mark.parametrize("program", ["smtp", "lmtp"])
def test_usual_settings_have_no_problem(program):
    assert check(program) == []
    usual = {"tls_security_level": "may", "tls_servername": "hostname", "tls_loglevel": "1"}
    assert check(program, **usual) == []
    assert check(program, tls_security_level="secure", tls_CApath="/etc/ssl/certs") == []
    assert check(program, tls_security_level="encrypt", tls_wrappermode="yes") == []


@pytest.mark.parametrize(
    ("texts", "named", "words"),
    [
        ({"tls_protocols": "TLSv9"}, "tls_protocols", 'unknown TLS protocol "TLSv9"'),
        (
            {"tls_mandatory_protocols": "!TLSv1 bogus"},
            "tls_mandatory_protocols",
            'unknown TLS protocol "bogus"',
        ),
        ({"tls_ciphers": "great"}, "tls_ciphers", 'invalid TLS cipher grade: "great"'),
        ({"tls_mandatory_exclude_ciphers": "!x"}, "tls_mandatory_ciphers", "exclusion"),
        ({"tls_fingerprint_digest": "md6"}, "tls_fingerprint_digest", 'no message digest is called "md6"'),
        ({"tls_servername": "a..b"}, "tls_servername", "misplaced delimiter"),
    ],
)
@pytest.mark.parametrize("program", ["smtp", "lmtp"])
def test_values_that_make_no_handshake_are_mistakes(program, texts, named, words):
    (problem,) = check(program, **texts)
    assert problem.severity is Severity.ERROR
    assert problem.where == f"main.cf: {program}_{named}"
    assert words in problem.message


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"tls_wrappermode": "yes", "tls_security_level": "may"}, "no mail is sent"),
        ({"tls_security_level": "fingerprint"}, "is empty: no mail is sent"),
        ({"tls_security_level": "secure"}, "no authority is trusted"),
        ({"enforce_tls": "yes"}, "no authority is trusted"),
        ({"tls_per_site": "static:MAY", "tls_policy_maps": "static:may"}, "has no effect beside"),
    ],
)
def test_what_does_not_go_together_is_told(texts, words):
    (problem,) = check(**texts)
    assert problem.severity is Severity.WARNING
    assert words in problem.message


def test_policies_may_say_what_main_cf_does_not():
    texts = {"tls_policy_maps": "static:may", "tls_wrappermode": "yes", "tls_security_level": "may"}
    assert check(**texts) == []
