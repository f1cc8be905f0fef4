"""POSIX expressions in Python's syntax; what the GNU library answers was asked of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tables.posix import Translator


def matches(pattern, text, **rest):
    match = re.search(Translator(pattern, **rest).text, text, re.ASCII | re.DOTALL)
    return match.span() if match else None


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        ("^a.c$", "abc", (0, 3)),
        ("^a$", "a\n", None),
        ("a|b", "xb", (1, 2)),
        ("(ab)+", "abab", (0, 4)),
        ("a*?", "aa", (0, 2)),
        ("a+*", "aa", (0, 2)),
        ("a{2}", "aaa", (0, 2)),
        ("a{,2}b", "aab", (0, 3)),
        ("[[:alpha:]]+", "1ab2", (1, 3)),
        ("[^[:digit:]]", "1a", (1, 2)),
        ("[]x]", "]", (0, 1)),
        ("[^]x]", "]a", (1, 2)),
        ("[a-]", "-", (0, 1)),
        ("[\\.]", "\\", (0, 1)),
        ("[[.-.]a]", "-", (0, 1)),
        ("[a&&b]", "&", (0, 1)),
        ("\\.", "a.", (1, 2)),
        ("\\d", "5d", (1, 2)),
        ("\\w\\W", "a-", (0, 2)),
        ("\\<b", "ab b", (3, 4)),
        ("b\\>", "ba b", (3, 4)),
        ("\\bb", "ab b", (3, 4)),
        ("(a)\\1", "aa", (0, 2)),
        ("(a)\\10", "aa0", (0, 3)),
        ("a)b", "a)b", (0, 3)),
        ("a\\/b", "a/b", (0, 3)),
        (" #", " #", (0, 2)),
    ],
)
def test_extended_expressions(pattern, text, span):
    assert matches(pattern, text) == span


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        ("a+", "a+", (0, 2)),
        ("a\\+", "aa", (0, 2)),
        ("\\(a\\)\\1", "aa", (0, 2)),
        ("a\\{2\\}", "aa", (0, 2)),
        ("a\\|b", "b", (0, 1)),
        ("*a", "*a", (0, 2)),
        ("a^b$c", "a^b$c", (0, 5)),
        ("^a$", "a", (0, 1)),
        ("\\(^a\\)", "ba", None),
    ],
)
def test_basic_expressions(pattern, text, span):
    assert matches(pattern, text, extended=False) == span


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a", "Unmatched ( or \\("),
        ("[a", "Unmatched [, [^, [:, [., or [="),
        ("[[:alpha", "Unmatched [, [^, [:, [., or [="),
        ("[[:letters:]]", "Invalid character class name"),
        ("[[.ab.]]", "Invalid collation character"),
        ("*a", "Invalid preceding regular expression"),
        ("(?:a)", "Invalid preceding regular expression"),
        ("a|*", "Invalid preceding regular expression"),
        ("a\\", "Trailing backslash"),
        ("a{x", "Invalid content of \\{\\}"),
    ],
)
def test_what_the_library_refuses_is_refused_in_its_words(pattern, problem):
    with pytest.raises(ValueError) as caught:
        Translator(pattern)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("pattern", "risky"),
    [
        ("^a.*b$", False),
        ("^(.*)@(.*)$", False),
        ("(a|b)?c", False),
        ("(a+)+$", True),
        ("(a|ab)*c", True),
        ("((a*))+", True),
        ("a*b*c*d", True),
        ("(ab)+", False),
    ],
)
def test_expressions_that_may_take_for_ever_are_known(pattern, risky):
    assert Translator(pattern).risky is risky


def test_lines_count_when_they_shall():
    assert Translator("^a$", multiline=True).text == "^a$"


@given(st.text(alphabet="ab()[]{}*+?|^$\\.-:=,12 "), st.booleans())
def test_every_text_is_an_expression_or_refused(pattern, extended):
    try:
        text = Translator(pattern, extended=extended).text
        re.compile(text)
    except (ValueError, re.error, OverflowError):
        return
    re.search(text, "ab12")
