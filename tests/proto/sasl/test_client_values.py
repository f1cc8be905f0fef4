"""Credentials show no secret; a challenge has a limit."""

from __future__ import annotations

import pytest

from postroad.proto.sasl.client_values import CHALLENGE_LIMIT, Credentials, SaslError, check_challenge, text


def test_a_secret_is_in_no_representation():
    credentials = Credentials("bob", "hunter2", "amy", token=True)
    assert "hunter2" not in repr(credentials) + str(credentials)
    assert "bob" in repr(credentials)


def test_bytes_of_a_table_are_sent_as_they_were():
    assert text("ü") == "ü".encode()
    assert text(b"\xff\xfe".decode("utf-8", "surrogateescape")) == b"\xff\xfe"


def test_a_challenge_has_a_limit():
    check_challenge(b"x" * CHALLENGE_LIMIT)
    with pytest.raises(SaslError, match="too long"):
        check_challenge(b"x" * (CHALLENGE_LIMIT + 1))
