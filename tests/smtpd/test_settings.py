from __future__ import annotations

import pytest

from postroad.proto.options import BareNewline
from postroad.smtpd.settings import TlsLevel, options_of, security_of, timing_of, tls_level

from .conftest import settings


def test_options_follow_main_cf():
    options = options_of(
        settings(
            smtpd_banner="$myhostname hello",
            smtpd_recipient_limit="7",
            smtpd_forbid_bare_newline="yes",
            disable_vrfy_command="yes",
            smtpd_delay_open_until_valid_rcpt="no",
            message_size_limit="0",
        )
    )
    assert options.banner == "mx.example.test hello"
    assert options.recipient_limit == 7
    assert options.bare_newline is BareNewline.NORMALIZE
    assert (options.vrfy, options.open_early, options.size_limit) == (False, True, 0)


def test_a_local_user_is_not_treated_as_a_stranger():
    options = options_of(settings(smtpd_helo_required="yes", smtpd_recipient_limit="7"), local=True)
    assert options.local
    assert (options.recipient_limit, options.helo_required, options.forbidden_words) == (0, False, False)


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        ({}, TlsLevel.PLAIN),
        ({"smtpd_use_tls": "yes"}, TlsLevel.MAY),
        ({"smtpd_enforce_tls": "yes"}, TlsLevel.ENCRYPT),
        ({"smtpd_tls_security_level": "none", "smtpd_enforce_tls": "yes"}, TlsLevel.PLAIN),
        ({"smtpd_tls_security_level": "may", "smtpd_enforce_tls": "yes"}, TlsLevel.MAY),
        ({"smtpd_tls_security_level": "encrypt"}, TlsLevel.ENCRYPT),
        ({"smtpd_tls_security_level": "verify"}, TlsLevel.ENCRYPT),
        ({"smtpd_tls_security_level": "none", "smtpd_tls_wrappermode": "yes"}, TlsLevel.WRAPPER),
    ],
)
def test_the_level_of_a_service(texts, level):
    assert tls_level(settings(**texts)) is level
    options = options_of(settings(**texts))
    assert options.starttls is (level in (TlsLevel.MAY, TlsLevel.ENCRYPT))
    assert options.tls_required is (level is TlsLevel.ENCRYPT)


def test_a_level_for_clients_of_others_is_none_for_a_server():
    with pytest.raises(ValueError, match="expected one of"):
        settings(smtpd_tls_security_level="dane")


@pytest.mark.parametrize(("level", "mandatory"), [("may", False), ("encrypt", True)])
def test_what_is_demanded_where_tls_is_mandatory(level, mandatory):
    security = security_of(settings(smtpd_tls_security_level=level, smtpd_tls_req_ccert="yes"))
    assert (security.needs_certificate, security.auth_needs_tls) == (mandatory, mandatory)
    assert security_of(settings(smtpd_tls_auth_only="yes")).auth_needs_tls


def test_a_local_user_needs_no_tls():
    options = options_of(settings(smtpd_tls_security_level="encrypt"), local=True)
    assert (options.starttls, options.tls_required) == (False, False)


def test_auth_is_there_when_somebody_knows_users():
    texts = settings(smtpd_sasl_response_limit="99", broken_sasl_auth_clients="yes")
    assert (options_of(texts).auth, options_of(texts, auth=True).auth) == (False, True)
    assert (options_of(texts).response_limit, options_of(texts).auth_twice) == (99, True)


def test_how_long_a_service_waits_is_in_seconds():
    timing = timing_of(
        settings(smtpd_timeout="2m", smtpd_per_request_deadline="yes", smtpd_min_data_rate="7")
    )
    assert (timing.timeout, timing.whole_requests, timing.data_rate) == (120.0, True, 7)
    assert timing_of(settings(smtpd_upstream_proxy_timeout="9s")).proxy_timeout == 9.0


@pytest.mark.parametrize(
    ("texts", "strict"),
    [
        ({}, False),
        ({"smtpd_forbid_bare_newline": "normalize"}, True),
        ({"smtpd_forbid_bare_newline": "reject"}, True),
        ({"smtpd_forbid_bare_newline": "normalize", "smtpd_strict_end_of_data": "no"}, False),
        ({"smtpd_strict_end_of_data": "yes"}, True),
    ],
)
def test_where_bare_newlines_are_forbidden_the_end_of_data_is_strict(texts, strict):
    assert options_of(settings(**texts)).strict_end is strict
