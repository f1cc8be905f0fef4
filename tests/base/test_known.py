import pytest

from postroad.base import known
from postroad.base.errors import Severity


def test_every_parameter_of_postfix_is_there():
    names = known.parameters()
    assert len(names) > 850
    assert {
        "myhostname",
        "smtpd_tls_security_level",
        "postscreen_access_list",
        "requiretls_enable",
    } <= names.keys()


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("smtpd_timeout", "${stress?{10}:{300}}s"),
        ("alias_maps", "hash:/etc/aliases, nis:mail.aliases"),
        ("relayhost", ""),
        ("fallback_relay", None),
        ("nosuch", None),
    ],
)
def test_defaults_are_postfixs(name, default):
    assert known.default_of(name) == default


def test_flags_say_what_is_not_expanded():
    assert "raw" in known.parameters()["forward_path"].flags
    assert "raw" not in known.parameters()["relayhost"].flags


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("relay_destination_recipient_limit", "_destination_recipient_limit"),
        ("relay_recipient_limit", "_recipient_limit"),
        ("policy-spf_time_limit", "_time_limit"),
        ("nosuch_destination_recipient_limit", None),
        ("relay_foo", None),
    ],
)
def test_the_longest_suffix_is_the_family(name, family):
    found = known.family_of(name, {"relay", "policy-spf"})
    assert (found[0].name if found else None) == family


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        *((name, Severity.UNSUPPORTED) for name in ("header_checks", "mime_header_checks")),
        *(
            (name, Severity.UNSUPPORTED)
            for name in ("body_checks", "mailbox_command", "milter_header_checks")
        ),
        *((name, Severity.UNSUPPORTED) for name in ("requiretls_enable", "smtp_tlsrpt_enable")),
        *(
            (name, Severity.MEANINGLESS)
            for name in ("daemon_directory", "setgid_group", "biff", "debugger_command")
        ),
        *((name, Severity.MEANINGLESS) for name in ("html_directory", "tls_random_source", "mailq_path")),
        ("cleanup_service_name", Severity.UNSUPPORTED),
        ("bounce_service_name", Severity.MEANINGLESS),
    ],
)
def test_each_says_what_becomes_of_it(name, severity):
    found, sentence = known.fate(name)
    assert found is severity
    assert len(sentence) > 20


def test_a_parameter_without_a_sentence_is_not_supported():
    assert known.fate("nosuch")[0] is Severity.UNSUPPORTED


def test_a_typing_error_finds_the_name_that_was_meant():
    assert known.nearest("smtpd_recipient_restriction", []) == "smtpd_recipient_restrictions"
    assert known.nearest("worker_proceses", ["worker_processes"]) == "worker_processes"
    assert known.nearest("zzzzqqq", []) == ""
