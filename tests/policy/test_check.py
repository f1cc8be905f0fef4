"""What the operator hears about restriction lists before the server starts."""

from __future__ import annotations

import pytest

from postroad.base.errors import Severity
from postroad.policy.check import check as check_with_tables
from postroad.tables.context import TableContext


def where(name: str) -> str:
    return f"main.cf:{name}"


def check(settings, where):
    return check_with_tables(settings, where, TableContext())


def test_networks_that_cannot_be_used_are_an_error(settings):
    (problem,) = check(settings(mynetworks="10.0.0.1/8"), where)
    assert problem.where == "main.cf:mynetworks"
    assert "10.0.0.1/8" in problem.message
    assert problem.severity is Severity.ERROR


def messages(settings):
    return [str(problem) for problem in check(settings, where)]


def test_ordinary_lists_have_no_problems(settings):
    assert check(settings(), where) == []


@pytest.mark.parametrize(
    ("relay", "recipient"),
    [
        ("", ""),
        ("permit_mynetworks", "permit"),
        ("permit, reject_unauth_destination", ""),
        ("warn_if_reject reject_unauth_destination", "reject_unlisted_recipient"),
        ("", "check_recipient_access reject"),
    ],
)
def test_lists_without_a_guard_are_an_error(settings, relay, recipient):
    problems = check(settings(smtpd_relay_restrictions=relay, smtpd_recipient_restrictions=recipient), where)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    assert [problem.message for problem in errors] == [
        (
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one "
            "working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, "
            "defer_if_permit or check_relay_domains"
        )
    ]


@pytest.mark.parametrize(
    ("relay", "recipient"),
    [
        ("permit_mynetworks, reject_unauth_destination", ""),
        ("", "permit_mynetworks, reject_unauth_destination"),
        ("", "permit_mynetworks defer_unauth_destination"),
        ("", "REJECT"),
        ("", "check_relay_domains"),
        ("mine", ""),
    ],
)
def test_one_guard_in_either_list_is_enough(settings, relay, recipient):
    texts = {
        "smtpd_restriction_classes": "mine",
        "mine": "permit_mynetworks, reject",
        "smtpd_relay_restrictions": relay,
        "smtpd_recipient_restrictions": recipient,
    }
    assert check(settings(**texts), where) == []


def test_the_networks_of_permit_mx_backup_must_be_networks(settings):
    [problem] = check(settings(permit_mx_backup_networks="192.0.2.1/24"), where)
    assert problem.severity is Severity.ERROR
    assert str(problem).startswith("main.cf:permit_mx_backup_networks: permit_mx_backup_networks: ")


def test_an_unknown_word_is_named_with_the_nearest_known_one(settings):
    (problem,) = check(settings(smtpd_helo_restrictions="reject_unlisted_recipent"), where)
    assert problem.severity is Severity.WARNING
    assert problem.message.startswith('unknown smtpd restriction: "reject_unlisted_recipent"')
    assert problem.hint == "did you mean 'reject_unlisted_recipient'?"


def test_a_class_is_looked_into_and_must_be_defined(settings):
    texts = {"smtpd_restriction_classes": "mine, lost", "mine": "permit_mx_backupp"}
    assert messages(settings(**texts)) == [
        "main.cf:smtpd_restriction_classes: restriction class `lost' needs a definition",
        (
            'main.cf:mine: unknown smtpd restriction: "permit_mx_backupp": clients that get to it are told '
            "451 4.3.5 Server configuration error (did you mean 'permit_mx_backup'?)"
        ),
    ]


def test_below_compatibility_level_1_the_default_guard_is_a_warning(settings):
    texts = {"smtpd_relay_restrictions": "", "smtpd_recipient_restrictions": "permit_mynetworks"}
    (problem,) = check(settings(**texts), lambda _name: "")
    assert problem.severity is Severity.WARNING
    assert problem.message.endswith(
        "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination is in force"
    )


@pytest.mark.parametrize(
    ("text", "severity", "message"),
    [
        ("check_client_access nosuch:x", Severity.ERROR, "unsupported dictionary type: nosuch"),
        ("nosuch:x", Severity.ERROR, "unsupported dictionary type: nosuch"),
        ("check_client_access x", Severity.WARNING, 'restriction check_client_access: bad argument "x"'),
        ("sleep long", Severity.WARNING, "restriction sleep must be followed by number"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(settings, text, severity, message):
    (problem,) = check(settings(smtpd_client_restrictions=text), where)
    assert (problem.where, problem.severity) == ("main.cf:smtpd_client_restrictions", severity)
    assert problem.message.startswith(message)


def test_a_table_alone_is_named_in_a_list_that_has_no_look_up_of_its_own(settings):
    (problem,) = check(settings(smtpd_data_restrictions="inline:{ {a=OK} }"), where)
    assert problem.message.startswith("inline:{ {a=OK} }: this list has no access check of its own")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("{ inline:{a=OK} {search_order = issuer} }", "unknown search type 'issuer'"),
        ("{ nosuchtype:x }", "nosuchtype"),
        ("{ nothing }", "need maptype:mapname"),
    ],
)
def test_the_table_of_certificates_is_looked_at_through_its_braces(settings, argument, words):
    (problem,) = messages(settings(smtpd_client_restrictions=f"check_ccert_access {argument}"))
    assert words in problem
    good = "check_ccert_access { inline:{AB:CD=OK} {search_order = pubkey_fingerprint} }"
    assert messages(settings(smtpd_client_restrictions=good)) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "check_policy_service tcp:h:1",
            "check_policy_service tcp:h:1: expected inet:host:port or unix:pathname",
        ),
        (
            "check_policy_service { inet:h:1, timeout=soon }",
            "check_policy_service inet:h:1: timeout: expected a time",
        ),
        ("check_policy_service h", "restriction check_policy_service must be followed by transport:server"),
        (
            "check_python none:f",
            "check_python none:f: cannot import none: ModuleNotFoundError: no module none in",
        ),
        ("check_python os.path:none", "check_python os.path:none: module os.path has no none"),
        ("check_python f", "restriction check_python must be followed by module:function"),
    ],
)
def test_programs_that_cannot_be_asked_are_told(settings, words, message):
    (problem,) = check(settings(smtpd_data_restrictions=words), where)
    assert problem.message.startswith(message)
    assert problem.severity is (Severity.WARNING if "must be" in message else Severity.ERROR)


def test_programs_that_can_be_asked_are_no_problem(settings):
    words = "check_policy_service { inet:127.0.0.1:1, timeout=1s }, check_python os.path:join"
    assert check(settings(smtpd_data_restrictions=words), where) == []
