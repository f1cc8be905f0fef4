from __future__ import annotations

import pytest

from postroad.auth import params as auth
from postroad.base.errors import Severity
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.net.tls import params as tls
from postroad.smtpd import params as smtpd
from postroad.smtpd.check import check

from .conftest import BASE

ENCRYPT = {"smtpd_tls_security_level": "encrypt"}
MAY = {"smtpd_tls_security_level": "may"}
AUTH = {"smtpd_sasl_auth_enable": "yes"}


def findings(service="2525", **texts):
    made = settings_of([model.params, smtpd.params, tls.params, auth.params], **(BASE | texts))
    found = check(made, "at {}".format, service)
    assert all(problem.severity is Severity.WARNING and problem.hint for problem in found)
    return [(problem.where, problem.message) for problem in found]


@pytest.mark.parametrize(
    ("service", "texts"),
    [
        ("25", {}),
        ("smtp", MAY),
        ("2525", ENCRYPT | AUTH | {"smtpd_tls_req_ccert": "yes"}),
        ("587", MAY | AUTH | {"smtpd_tls_auth_only": "yes"}),
        ("587", AUTH | {"smtpd_sasl_security_options": "noanonymous, noplaintext"}),
        ("127.0.0.1:465", AUTH | {"smtpd_tls_wrappermode": "yes"}),
    ],
)
def test_nothing_is_wrong_with_usual_settings(service, texts):
    assert findings(service, **texts) == []


@pytest.mark.parametrize(
    ("service", "texts", "name", "words"),
    [
        ("25", {"smtpd_tls_security_level": "verify"}, "smtpd_tls_security_level", "taken for encrypt"),
        ("25", MAY | {"smtpd_tls_req_ccert": "yes"}, "smtpd_tls_req_ccert", "no certificate is demanded"),
        ("587", AUTH | {"smtpd_tls_auth_only": "yes"}, "smtpd_tls_auth_only", "nobody can log in"),
        ("587", AUTH, "smtpd_sasl_auth_enable", "plain text"),
        ("587", AUTH | MAY, "smtpd_sasl_auth_enable", "plain text"),
        ("submissions", MAY, "smtpd_tls_wrappermode", "begin with TLS"),
        ("[::1]:465", ENCRYPT, "smtpd_tls_wrappermode", "begin with TLS"),
        ("smtp", {"smtpd_tls_wrappermode": "yes"}, "smtpd_tls_wrappermode", "never begin with TLS"),
    ],
)
def test_what_cannot_be_meant_is_said_at_its_place(service, texts, name, words):
    [(where, message)] = findings(service, **texts)
    assert where == f"at {name}"
    assert words in message
