import pytest
import regex

from postroad.tables.perl import is_common, translate, ungreedy


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        (r"a\z", "a", "a"),
        (r"a\z", "a\n", None),
        (r"a\Z", "a\n", "a"),
        (r"a$", "a\n", "a"),
        (r"a$", "a\nb", None),
        (r"a\h+b", "a \tb", "a \tb"),
        (r"a\Rb", "a\r\nb", "a\r\nb"),
        (r"\Qa.b\E+", "a.b", "a.b"),
        (r"\Q$1", "$1", "$1"),
        (r"[$]", "$", "$"),
        (r"\$", "$", "$"),
        (r"[[:digit:]$]+", "1$2", "1$2"),
        (r"^(?!owner-)(.*)-outgoing", "a-outgoing", "a-outgoing"),
        (r"(?<n>a)\k<n>", "aa", "aa"),
        (r"a++b", "aab", "aab"),
    ],
)
def test_perl_expressions_mean_what_they_mean_to_pcre(pattern, text, matched):
    match = regex.search(translate(pattern), text)
    assert (match[0] if match else None) == matched


@pytest.mark.parametrize(
    ("pattern", "yes"),
    [
        (r"^(.*)@example\.com$", True),
        (r"\d+[a-z]{2}\b", True),
        (r"(?:a)", False),
        (r"a*?", False),
        (r"a++", False),
        (r"\Aa", False),
        (r"(a)\1", False),
        (r"\(?a", True),
        (r"[[:alpha:]]", False),
        (r"[a&&b]", False),
    ],
)
def test_patterns_that_are_the_same_everywhere_are_known(pattern, yes):
    assert is_common(pattern) is yes


def test_the_end_is_the_very_end_or_each_line_s_when_flags_say_so():
    assert regex.search(translate("a$", dollar_end_only=True), "a\n") is None
    assert regex.search(translate("a$", multiline=True), "a\nb", regex.M)


@pytest.mark.parametrize(
    ("pattern", "turned"),
    [
        ("a+b*?", "a+?b*"),
        ("a{2,3}", "a{2,3}?"),
        (r"\+[+*]x?", r"\+[+*]x??"),
        ("(?:a)", "(?:a)"),
        ("a++", "a++"),
    ],
)
def test_greediness_is_turned_round(pattern, turned):
    assert ungreedy(pattern) == turned
