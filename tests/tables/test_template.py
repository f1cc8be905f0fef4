import re

import pytest

from postroad.tables.template import parse_template

MATCH = re.match("(a)(b)?(c)", "ac")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("<$1>", "<a>"),
        ("${1}2", "a2"),
        ("$(3)!", "c!"),
        ("[$2]", "[]"),
        ("$$1", "$1"),
        ("$1$3$$", "ac$"),
        ("", ""),
    ],
)
def test_groups_and_dollars(text, filled):
    assert parse_template(text).fill(MATCH) == filled


@pytest.mark.parametrize("text", ["$", "a $ b", "$x", "${x}", "$(", "$0", "${}", "$1x"])
def test_a_dollar_without_a_number_is_refused(text):
    with pytest.raises(ValueError, match="replacement index"):
        parse_template(text)


def test_the_highest_number_is_known():
    assert parse_template("$2 $1").highest == 2
    assert parse_template("$$").highest == 0
