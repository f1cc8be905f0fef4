"""Every restriction of Postfix has its place."""

from __future__ import annotations

from postroad.policy.names import GUARDS, KNOWN, MAKERS, TAKERS


def test_a_name_is_in_one_place_only():
    assert not set(MAKERS) & set(TAKERS)


def test_every_guard_works():
    assert set(MAKERS) >= GUARDS


def test_old_names_stand_for_the_new_ones():
    assert MAKERS["reject_unknown_client"] is MAKERS["reject_unknown_client_hostname"]
    assert MAKERS["check_recipient_maps"] is MAKERS["reject_unlisted_recipient"]


def test_names_are_in_lower_case():
    assert all(name == name.lower() for name in KNOWN)
