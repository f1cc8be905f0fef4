"""The lists of a service, compiled from its settings."""

from __future__ import annotations

import pytest

from postroad.policy.lists import ServiceLists
from postroad.policy.trail import Restrictions


@pytest.fixture
def lists(services):
    def make(**texts):
        made = services(**texts)
        return ServiceLists(made.settings, made)

    return make


def items(checks):
    assert isinstance(checks, Restrictions)
    return checks.name, [item.name for _, item in checks.items]


def test_by_default_only_relaying_is_restricted(lists):
    guard = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
    made = lists(smtpd_relay_restrictions=guard)
    relay, recipient = made.recipient
    assert items(relay) == (
        "smtpd_relay_restrictions",
        ["permit_mynetworks", "permit_sasl_authenticated", "defer_unauth_destination"],
    )
    assert not any((recipient, made.client, made.helo, made.sender, made.data, made.end_of_data, made.etrn))
    assert not made.sender_end
    assert items(made.recipient_end)[1] == ["reject_unlisted_recipient"]


def test_each_parameter_has_its_list(lists):
    names = ("client", "helo", "sender", "data", "end_of_data", "etrn")
    made = lists(**{f"smtpd_{name}_restrictions": "reject" for name in names})
    for name in names:
        assert items(getattr(made, name)) == (f"smtpd_{name}_restrictions", ["reject"])


def test_relaying_may_be_asked_last_and_existence_not_at_all(lists):
    made = lists(
        smtpd_relay_before_recipient_restrictions="no",
        smtpd_recipient_restrictions="permit",
        smtpd_reject_unlisted_recipient="no",
        smtpd_reject_unlisted_sender="yes",
    )
    assert [items(each)[0] for each in made.recipient] == [
        "smtpd_recipient_restrictions",
        "smtpd_relay_restrictions",
    ]
    assert not made.recipient_end
    assert items(made.sender_end)[1] == ["reject_unlisted_sender"]


def test_a_class_that_is_not_defined_cannot_be_used(lists):
    with pytest.raises(ValueError, match="mine"):
        lists(smtpd_restriction_classes="mine", smtpd_client_restrictions="mine")
