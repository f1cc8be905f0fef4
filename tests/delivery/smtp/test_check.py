"""What is told of logins and DANE before anything is sent."""

from __future__ import annotations

import pytest

from postroad.base.errors import Severity
from postroad.base.params import settings_of
from postroad.delivery.smtp.check import check_client
from postroad.delivery.smtp.params import params
from postroad.model.params import params as model_params
from postroad.net.params import params as net_params
from postroad.net.tls.params import params as tls_params
from postroad.tables.context import TableContext


def found(program="smtp", **texts):
    settings = settings_of([model_params, net_params, tls_params, params], compatibility_level="3.6", **texts)
    return check_client(settings, program, lambda name: f"at {name}", TableContext(texts=settings.texts))


LOGIN = {"smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": "static:a:b"}


def test_good_settings_have_no_findings():
    assert found() == []
    assert found(**LOGIN) == []
    assert found(smtp_tls_security_level="dane", smtp_dns_support_level="dnssec") == []


@pytest.mark.parametrize(
    ("texts", "where", "words"),
    [
        ({"smtp_sasl_auth_enable": "yes"}, "at smtp_sasl_auth_enable", "specify a password table"),
        (
            LOGIN | {"smtp_sasl_tls_security_options": "nosuch"},
            "at smtp_sasl_tls_security_options",
            "unknown SASL security options value",
        ),
        (LOGIN | {"smtp_sasl_mechanism_filter": "!"}, "at smtp_sasl_auth_enable", "no pattern"),
        ({"tls_dane_digests": "sha1"}, "at tls_dane_digests", "not a digest"),
    ],
)
def test_what_cannot_be_used_is_an_error_at_its_place(texts, where, words):
    (problem,) = found(**texts)
    assert problem.severity is Severity.ERROR
    assert problem.where == where
    assert words in problem.message


def test_passwords_that_nobody_uses_are_told():
    (problem,) = found(smtp_sasl_password_maps="static:a:b")
    assert problem.severity is Severity.WARNING
    assert problem.hint == "smtp_sasl_auth_enable = yes"
    assert found("lmtp", smtp_sasl_password_maps="static:a:b") == []


@pytest.mark.parametrize(("level", "words"), [("dane", "only tried"), ("dane-only", "no mail is sent")])
def test_dane_without_validation_is_told(level, words):
    (problem,) = found(smtp_tls_security_level=level)
    assert problem.severity is Severity.WARNING
    assert words in problem.message
    assert "dnssec" in problem.hint
