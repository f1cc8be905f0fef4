"""Deliveries and their results as they travel."""

from __future__ import annotations

import errno

import msgspec
import pytest

from postroad.delivery.mailbox.request import Delivery, reason_of, status_of


def test_a_delivery_survives_the_way(delivery):
    made = delivery("a/b")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Delivery) == made


@pytest.mark.parametrize(("path", "maildir"), [("a/", True), ("a", False), ("a/b/", True)])
def test_a_slash_at_the_end_means_maildir(delivery, path, maildir):
    assert delivery(path).is_maildir is maildir


def test_a_failure_has_the_system_s_words():
    assert reason_of(OSError(errno.ENOSPC, "x")) == "No space left on device"
    assert reason_of(OSError("odd")) == "odd"


@pytest.mark.parametrize(
    ("code", "status"),
    [(errno.EAGAIN, "4.2.0"), (errno.ENOSPC, "4.3.0"), (errno.EDQUOT, "5.2.2"), (errno.EPERM, "4.2.0")],
)
def test_a_failure_has_a_status(code, status):
    assert status_of(OSError(code, "x")) == status
