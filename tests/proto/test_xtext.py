from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto import xtext

PRINTABLE = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)


@given(PRINTABLE)
def test_what_is_encoded_decodes_to_itself(text):
    encoded = xtext.encode(text)
    assert encoded.isascii()
    assert " " not in encoded
    assert xtext.decode(encoded) == text


@pytest.mark.parametrize("text", ["+", "+2", "+GG", "a+", "+0A", "+00", "+7F", "\x01", "+FF"])
def test_bad_codes_and_control_characters_are_refused(text):
    with pytest.raises(ValueError):
        xtext.decode(text)


def test_codes_may_have_letters_of_either_case():
    assert xtext.decode("+2b+2B") == "++"
    assert xtext.decode("+C3+A4") == "\u00e4"


def test_unicode_codes_are_decoded_and_a_backslash_is_one():
    assert xtext.decode_unicode("a\\x{E4}\\b+40") == "a\u00e4\\b+40"


@pytest.mark.parametrize("text", ["\\x{0}", "\\x{D800}", "\\x{110000}", "\\x{2028}"])
def test_codes_of_what_no_address_has_are_refused(text):
    with pytest.raises(ValueError):
        xtext.decode_unicode(text)
