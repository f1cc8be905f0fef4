import pytest

from postroad.base.errors import Severity
from postroad.base.maincf import Setting, decode, logical_lines, parse, split_setting


def settings(text):
    return {name: setting.text for name, setting in parse(text)[0].items()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = b", "b"),
        ("a=b", "b"),
        ("a   =   b  c  ", "b  c"),
        ("a =", ""),
        ("a = b = c", "b = c"),
        ("a = b\n  c\n\td", "b  c\td"),
        ("a = b\n# comment\n\n   # another\n  c", "b  c"),
        ("a = b\r\n  c\r\n", "b  c"),
        ("\ufeffa = b", "b"),
        ("a = # no comment", "# no comment"),
        ("a = 1\na = 2", "2"),
        ("a = \xa0b\xa0", "\xa0b\xa0"),
    ],
)
def test_a_value_is_what_postfix_reads(text, value):
    assert settings(text) == {"a": value}


def test_a_comment_or_empty_line_does_not_end_a_value():
    assert settings("a = 1\n\n#\n  2\nb = 3") == {"a": "1  2", "b": "3"}


def test_every_setting_has_its_place():
    found, _ = parse("# x\n\na = 1\n  2\nb = 3\n")
    assert found == {"a": Setting("1  2", "main.cf:3"), "b": Setting("3", "main.cf:5")}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("foo", "missing '=' after attribute name: \"foo\""),
        ("my host = x", "missing '=' after attribute name: \"my host = x\""),
        ("= x", 'missing attribute name: "= x"'),
    ],
)
def test_a_broken_line_is_named_and_the_others_are_read(line, says):
    found, problems = parse(f"a = 1\n{line}\nb = 2\n")
    assert [str(p) for p in problems] == [f"main.cf:2: {says} (write name = value, or begin with #)"]
    assert found.keys() == {"a", "b"}


def test_a_line_that_continues_nothing_is_a_warning():
    found, problems = parse("  x = 1\na = 2")
    assert found.keys() == {"a"}
    assert problems[0].severity is Severity.WARNING
    assert 'logical line must not start with whitespace: "  x = 1"' in str(problems[0])


def test_an_overridden_setting_is_a_warning_unless_it_says_the_same():
    assert parse("a = 1\na = 1")[1] == []
    (problem,) = parse("a = 1\na = 2")[1]
    assert str(problem) == "main.cf:2: overriding earlier entry: a=1 (main.cf:1 has no effect)"


def test_a_null_byte_is_an_error():
    assert "null byte" in str(parse("a = b\0c")[1][0])


def test_bytes_that_are_no_utf8_survive():
    text = decode(b"\xef\xbb\xbfa = \xff")
    assert settings(text)["a"].encode("utf-8", "surrogateescape") == b"\xff"


def test_a_part_of_a_logical_line_knows_its_physical_line():
    (line,) = logical_lines("ab\n# x\n cd\n  ef")
    assert line.text == "ab cd  ef"
    assert [line.number_at(at) for at in (0, 1, 2, 4, 5, 8)] == [1, 1, 3, 3, 4, 4]


def test_split_setting_refuses_an_empty_text():
    with pytest.raises(ValueError, match="missing attribute name"):
        split_setting("")
