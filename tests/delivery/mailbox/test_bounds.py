"""What is out of bounds, whoever asks."""

from __future__ import annotations

import os

import pytest

from postroad.delivery.mailbox.bounds import Bounds


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({}, ""),
        ({"uid": 0}, "user ID 0 is lower than 100"),
        ({"uid": 99}, "user ID 99 is lower than 100"),
        ({"uid": -1}, "user ID -1 is lower than 100"),
        ({"gid": 0}, "group ID 0 is lower than 1"),
        ({"base": b"/etc"}, "/etc is not a place for mailboxes"),
        ({"path": "../x/"}, "the path has .. in it"),
        ({"path": "a\0b/"}, "the path has a NUL in it"),
    ],
)
def test_requests_out_of_bounds_are_refused(delivery, base, facts, complaint):
    bounds = Bounds((os.fsencode(base),), 100)
    assert bounds.complaint(delivery(**({"uid": 5000, "gid": 5000} | facts))) == complaint


def test_a_base_that_is_not_absolute_is_never_a_place(delivery):
    assert Bounds((b"mail",)).complaint(delivery(base=b"mail", uid=5000, gid=5000)) != ""
