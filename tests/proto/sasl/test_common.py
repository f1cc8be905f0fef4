import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.sasl.common import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # the examples of RFC 4013 3
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("", ""),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_what_becomes_of_a_text(text, prepared):
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    ["\u0007", "\u0627\u0031", "a\nb", "a\0b", "é\u0085", "\ue000x", "é\udcff", "\u0627a\u0627", "é\u202e"],
)
def test_what_is_prohibited(text):
    with pytest.raises(ValueError) as caught:
        saslprep(text)
    assert text not in str(caught.value)


@given(st.text(max_size=20))
def test_preparing_twice_changes_nothing_more(text):
    try:
        once = saslprep(text)
    except ValueError:
        return
    if unicodedata.normalize("NFKC", once) == once:
        assert saslprep(once) == once
