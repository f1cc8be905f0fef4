"""The login's parameters are known, with Postfix's defaults."""

from __future__ import annotations

import pytest

from postroad.app.registry import registry
from postroad.base.params import settings_of
from postroad.delivery.smtp import login_params as p
from postroad.delivery.smtp.params import params
from postroad.model.params import params as model_params


def test_they_are_among_the_clients():
    names = {param.name for param in registry()}
    assert {param.name for param in p.group.params} <= names
    assert {"smtp_sasl_auth_enable", "lmtp_sasl_password_maps", "send_cyrus_sasl_authzid"} <= names


def test_options_with_tls_follow_those_without():
    settings = settings_of([model_params, params], smtp_sasl_security_options="noactive")
    assert settings[p.SASL_TLS_VERIFIED_SECURITY_OPTIONS["smtp"]] == ("noactive",)
    assert settings[p.SASL_TLS_SECURITY_OPTIONS["lmtp"]] == ("noplaintext", "noanonymous")
    assert settings[p.SASL_AUTH_CACHE_TIME["smtp"]] == 90 * 86400


def test_no_other_sort_of_client_is_there():
    with pytest.raises(ValueError, match="cyrus"):
        settings_of([model_params, params], smtp_sasl_type="dovecot")
