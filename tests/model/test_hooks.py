"""What a hook is told and what it may answer."""

from __future__ import annotations

import pytest

from postroad.model import hooks


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: hooks.Reject(code=450), "the code 450 is not between 500 and 599"),
        (lambda: hooks.Reject(code=250), "the code 250"),
        (lambda: hooks.Defer(code=550), "the code 550 is not between 400 and 499"),
        (lambda: hooks.Defer(code=399), "the code 399"),
        (lambda: hooks.Reject(status="5.7"), "not an enhanced status code"),
        (lambda: hooks.Defer(status="x"), "not an enhanced status code"),
    ],
)
def test_a_refusal_that_is_none_cannot_be_made(make, why):
    with pytest.raises(ValueError, match=why):
        make()


def test_verdicts_and_facts_do_not_change():
    client = hooks.ClientFacts(
        address="192.0.2.1", port=1, name="x", reverse_name="x", server_address="", server_port=25
    )
    for value, name in (
        (hooks.Reject("no"), "text"),
        (client, "name"),
        (hooks.Facts(stage="RCPT", protocol="ESMTP", client=client), "sender"),
    ):
        with pytest.raises(AttributeError):
            setattr(value, name, "y")
