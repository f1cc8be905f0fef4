from __future__ import annotations

import pytest

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
    ],
)
def test_values_out_of_bounds_are_refused(name, text):
    with pytest.raises(ValueError):
        settings(**{name: text})
