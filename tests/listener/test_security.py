from __future__ import annotations

import pytest

from postroad.app.registry import registry
from postroad.base.params import settings_of
from postroad.listener.security import tls_level


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        ({}, "none"),
        ({"smtpd_tls_security_level": "may"}, "may"),
        ({"smtpd_tls_security_level": "may", "postscreen_tls_security_level": "none"}, "none"),
        ({"postscreen_tls_security_level": "verify"}, "encrypt"),
        ({"smtpd_use_tls": "yes"}, "may"),
        ({"postscreen_use_tls": "yes", "postscreen_enforce_tls": "yes"}, "encrypt"),
    ],
)
def test_the_level_is_smtpds_unless_postscreen_has_its_own(texts, level):
    assert tls_level(settings_of(registry().groups, **texts)) == level
