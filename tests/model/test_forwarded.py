from __future__ import annotations

from postroad.model.forwarded import Forwarded


def test_an_origin_without_an_address_is_a_name():
    assert Forwarded().origin == "unknown"
    assert Forwarded(name="a.example").origin == "a.example"
    assert Forwarded(name="a.example", address="192.0.2.1").origin == "a.example[192.0.2.1]"
