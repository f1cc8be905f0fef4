import pytest

from postroad.base.kinds import (
    BOOL,
    INT,
    LIST,
    RAW,
    SIZE,
    STRING,
    TIME,
    TIME_DAYS,
    TIME_HOURS,
    choice,
    split_list,
)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BOOL, "yes", True),
        (BOOL, "No", False),
        (INT, " 42 ", 42),
        (INT, "-1", -1),
        (SIZE, "256k", 262144),
        (SIZE, "10", 10),
        (SIZE, "1M", 1 << 20),
        (TIME, "300s", 300),
        (TIME, "300", 300),
        (TIME, "5m", 300),
        (TIME, "2h", 7200),
        (TIME, "1w", 604800),
        (TIME, "5mh", 300),
        (TIME, "5 minutes", 300),
        (TIME_HOURS, "4", 14400),
        (TIME_DAYS, "5", 432000),
        (TIME_DAYS, "5d", 432000),
        (STRING, " x y ", "x y"),
        (RAW, "$name", "$name"),
    ],
)
def test_a_good_value_is_read(kind, text, value):
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BOOL, "true"),
        (BOOL, ""),
        (INT, "1.5"),
        (INT, "١"),
        (INT, ""),
        (TIME, "5x"),
        (TIME, "m"),
        (TIME, "-1s"),
        (TIME, ""),
        (SIZE, "1t"),
        (SIZE, "k"),
    ],
)
def test_a_bad_value_is_refused_in_words(kind, text):
    with pytest.raises(ValueError, match="expected"):
        kind.parse(text)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", ()),
        (" , ", ()),
        ("a, b\tc\n d", ("a", "b", "c", "d")),
        ("a,{ b, c } d", ("a", "{ b, c }", "d")),
        ("inline:{a=1, b=2}, hash:/x", ("inline:{a=1, b=2}", "hash:/x")),
        ("{a {b c}}", ("{a {b c}}",)),
    ],
)
def test_lists_are_split_at_commas_and_blanks_outside_braces(text, members):
    assert split_list(text) == members
    assert LIST.parse(text) == members


@pytest.mark.parametrize("text", ["{a", "a}", "{{a}"])
def test_a_brace_without_its_other_is_refused(text):
    with pytest.raises(ValueError, match="{|}"):
        split_list(text)


def test_a_choice_is_one_of_its_names():
    kind = choice("host", "subnet")
    assert kind.parse("Host") == "host"
    with pytest.raises(ValueError, match="host, subnet"):
        kind.parse("class")


def test_lists_and_booleans_are_shown_as_main_cf_has_them():
    assert LIST.show(("a", "b")) == "a, b"
    assert BOOL.show(True) == "yes"
    assert TIME.show(60) == "60s"
