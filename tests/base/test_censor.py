from __future__ import annotations

import pytest

from postroad.base.censor import Censor


@pytest.mark.parametrize(
    ("allowed", "text", "seen"),
    [
        ("abc", "a.b-c$", "a_b_c_"),
        ("\\40\\t\\\\", " \t\\\n", " \t\\_"),
        ("\\7777", "7\xff", "7\xff"),
        ("\\q-", "q-", "q-"),
        ("", "abc", "___"),
        ("a", "ä\udcff\r\n", "____"),
    ],
)
def test_what_is_not_allowed_becomes_an_underscore(allowed, text, seen):
    assert Censor(allowed).censored(text) == seen
