from __future__ import annotations

import pytest

from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.smtpd import params

from .conftest import settings


def test_every_parameter_has_a_sentence_for_the_operator():
    for param in params.params.params:
        assert param.doc.endswith(".")
        assert len(param.doc) > 20


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("smtpd_forbid_bare_newline", "maybe"),
        ("smtpd_recipient_limit", "0"),
        ("smtpd_timeout", "0s"),
        ("smtpd_forbid_bare_newline_reject_code", "250"),
        ("smtpd_soft_error_limit", "-1"),
        ("smtpd_tls_security_level", "dane"),
        ("smtpd_starttls_timeout", "0s"),
        ("smtpd_sasl_response_limit", "0"),
    ],
)
def test_values_out_of_bounds_are_refused(name, text):
    with pytest.raises(ValueError):
        settings(**{name: text})


def test_the_defaults_of_tls_and_auth_are_those_of_postfix():
    made = settings_of([params.params, model.params], stress="")
    assert made[params.TLS_LEVEL] == ""
    assert made[params.STARTTLS_TIMEOUT] == 300
    assert (made[params.RESPONSE_LIMIT], made[params.RATE_TIME_UNIT], made[params.TLS_LOGLEVEL]) == (
        12288,
        60,
        0,
    )
    for param in (params.USE_TLS, params.ENFORCE_TLS, params.TLS_WRAPPERMODE, params.TLS_AUTH_ONLY):
        assert made[param] is False
