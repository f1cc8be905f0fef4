"""The parameters of this room."""

from __future__ import annotations

import pytest

from postroad.base.params import settings_of
from postroad.net import params


def test_smtp_and_lmtp_have_each_their_own():
    settings = settings_of([params.params], smtp_mx_address_limit="7")
    assert settings[params.MX_ADDRESS_LIMIT["smtp"]] == 7
    assert settings[params.MX_ADDRESS_LIMIT["lmtp"]] == 5


def test_the_defaults_are_postfixs():
    settings = settings_of([params.params])
    assert settings[params.HOST_LOOKUP["smtp"]] == ("dns",)
    assert settings[params.ADDRESS_PREFERENCE["smtp"]] == "any"
    assert settings[params.DNS_SUPPORT_LEVEL["smtp"]] == ""
    assert settings[params.RANDOMIZE_ADDRESSES["lmtp"]] is True
    assert settings[params.SMTPD_PEERNAME_LOOKUP] is True


def test_a_wrong_value_is_refused():
    for name in ("smtp_address_preference", "lmtp_dns_support_level", "smtp_mx_address_limit"):
        with pytest.raises(ValueError):
            settings_of([params.params], **{name: "sometimes"})
