from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.encoded import encoded_words, phrase


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", ""),
        ("Al Smith", "Al Smith"),
        ("Smith, Al", '"Smith, Al"'),
        ('A "B" C\\', '"A \\"B\\" C\\\\"'),
        ("J. Doe", '"J. Doe"'),
        ("a\r\nBcc: x", '"a Bcc: x"'),
        ("=?utf-8?B?eA==?=", '"=?utf-8?B?eA==?="'),
        ("Jörg", "=?utf-8?B?SsO2cmc=?="),
        ("  \t ", ""),
    ],
)
def test_a_name_is_quoted_or_encoded_where_it_must(name, expected):
    assert phrase(name) == expected


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_encoded_words_are_short_and_read_back(text):
    words = encoded_words(text)
    assert all(len(line) <= 75 for line in words.split("\r\n\t"))
    assert str(make_header(decode_header(words.replace("\r\n\t", " ")))) == text
