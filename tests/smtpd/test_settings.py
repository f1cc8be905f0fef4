from __future__ import annotations

from postroad.proto.options import BareNewline
from postroad.smtpd.settings import options_of

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
