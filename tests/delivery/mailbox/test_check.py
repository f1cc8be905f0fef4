"""What the operator hears about mailboxes."""

from __future__ import annotations

import pytest

from postroad.base.errors import Severity
from postroad.delivery.mailbox.check import check_alias, check_local, check_virtual


def where(name):
    return f"main.cf:{name}"


def test_the_defaults_are_fine(settings):
    assert check_virtual(settings(), where) == []
    assert check_local(settings(), where) == []


@pytest.mark.parametrize(
    ("limit", "message", "words"),
    [
        ("100", "200", "is smaller than message_size_limit"),
        ("100", "0", "is limited but message_size_limit is unlimited"),
        ("200", "200", ""),
        ("0", "0", ""),
        ("0", "200", ""),
    ],
)
def test_what_is_accepted_must_fit_into_a_mailbox(settings, limit, message, words):
    for name, check in (("virtual_mailbox_limit", check_virtual), ("mailbox_size_limit", check_local)):
        problems = check(settings(**{name: limit, "message_size_limit": message}), where)
        assert [problem.message for problem in problems] == (
            [f"configuration error: {name} {words}"] if words else []
        )


def test_a_base_that_is_not_absolute_is_warned_of_once_there_are_mailboxes(settings):
    texts = {"virtual_mailbox_maps": "static:x", "virtual_mailbox_base": "mail"}
    (problem,) = check_virtual(settings(**texts), where)
    assert (problem.severity, problem.where) == (Severity.WARNING, "main.cf:virtual_mailbox_base")


def test_an_unknown_lock_is_an_error(settings):
    (problem,) = check_virtual(settings(virtual_mailbox_lock="fcntl, magic"), where)
    assert problem.severity is Severity.ERROR
    assert problem.message.endswith("unknown mailbox locking method: magic")


def test_alias_members_that_are_not_supported_are_named():
    problems = check_alias("aliases:3", "staff", "alice, |/bin/x, /file, :include:/list")
    assert [str(problem) for problem in problems] == [
        f"aliases:3: alias staff: delivery to a {what} is not supported yet: {text} (mail for it is deferred)"
        for what, text in (("command", "/bin/x"), ("file", "/file"), ("list in a file (:include:)", "/list"))
    ]
