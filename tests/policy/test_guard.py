"""No list is an open relay."""

from __future__ import annotations

import pytest

from postroad.policy import params as p
from postroad.policy.guard import guarded_relay_list, has_guard, is_guarded

DEFAULT = ("permit_mynetworks", "permit_sasl_authenticated", "defer_unauth_destination")


def test_a_class_that_refers_to_itself_guards_nothing():
    assert not is_guarded(["a"], {"a": ("a",)})


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("reject_unauth_destination", True),
        ("permit_mynetworks REJECT", True),
        ("permit reject", False),
        ("warn_if_reject reject", False),
        ("check_recipient_access hash:reject", False),
        ("sleep reject", False),
        ("mine", True),
        ("", False),
    ],
)
def test_a_guard_is_a_restriction_that_is_reached_and_is_no_argument(text, guarded):
    assert is_guarded(text.split(), {"mine": ("defer",)}) is guarded


def test_todays_default_is_in_force_where_nothing_decides_on_relaying(settings):
    empty = settings(smtpd_relay_restrictions="", smtpd_recipient_restrictions="permit_mynetworks")
    assert guarded_relay_list(empty, {}) == DEFAULT


def test_an_empty_list_stays_empty_beside_a_guarded_one(settings):
    guarded = settings(smtpd_relay_restrictions="", smtpd_recipient_restrictions="reject_unauth_destination")
    assert has_guard(guarded, {})
    assert guarded_relay_list(guarded, {}) == ()


def test_a_list_that_says_nothing_about_relaying_does_not_start(settings):
    with pytest.raises(ValueError, match="specify at least one working instance of: reject_unauth"):
        guarded_relay_list(settings(smtpd_relay_restrictions="permit_mynetworks"), {})


def test_the_default_is_that_of_compatibility_level_1(settings):
    assert (
        settings(compatibility_level="1", smtpd_relay_restrictions=p.RELAY_RESTRICTIONS.default)[
            p.RELAY_RESTRICTIONS
        ]
        == DEFAULT
    )
