"""The records of table files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tables.lines import logical_lines, read_aliases, read_map


def read(reader, text, **rest):
    warnings = []
    return reader("f", text, warnings.append, **rest), warnings


def test_lines_that_begin_with_blanks_continue_the_one_before_even_past_comments():
    text = "k v\n# comment\n  more\n\n\tend\nk2 v2\n"
    assert list(logical_lines(text)) == [(1, "k v  more\tend"), (6, "k2 v2")]


def test_a_continuation_without_a_beginning_is_a_line():
    assert list(logical_lines("  k v\nx y\n")) == [(1, "k v"), (2, "x y")]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("Key  Value \n", {"key": "Value"}),
        ("a b\r\nc d\r\n", {"a": "b", "c": "d"}),
        ("a b", {"a": "b"}),
        ("", {}),
        ("# a b\n   \n", {}),
        ("a\tb # c\n", {"a": "b # c"}),
        ('"a b" c\n', {'"a b"': "c"}),
        ('"a\\" b"@c d e\n', {'"a\\" b"@c': "d e"}),
        ('k"a b"c d\n', {'k"a b"c': "d"}),
        ("a b\n  c\n", {"a": "b  c"}),
        ("key\n  value\n", {"key": "value"}),
        ("x \udcff\n", {"x": "\udcff"}),
    ],
)
def test_records_of_a_map(text, table):
    assert read(read_map, text) == (table, [])


@pytest.mark.parametrize(
    ("text", "table", "warning"),
    [
        ("a b\nA c\n", {"a": "b"}, 'f, line 2: duplicate entry: "a"'),
        (
            "a b\nalone\n",
            {"a": "b"},
            "f, line 2: expected format: key whitespace value -- ignoring this line",
        ),
        (
            "b: c\n",
            {"b:": "c"},
            'f, line 1: record is in "key: value" format; is this an alias file?',
        ),
        ('"a b\nc d\n', {"c": "d"}, "f, line 1: unbalanced '\"' in '\"a b' -- ignoring this line"),
    ],
)
def test_lines_that_are_no_record_are_warned_of_and_left_out(text, table, warning):
    assert read(read_map, text) == (table, [warning])


def test_keys_keep_their_case_when_folding_is_off():
    assert read(read_map, "Key v\n", folded=False)[0] == {"Key": "v"}
    assert read(read_aliases, "Key: v\n", folded=False)[0] == {"Key": "v"}


WORD = st.text(alphabet="abcXYZ019@.+-_", min_size=1)


@given(st.dictionaries(WORD.map(str.lower), WORD, max_size=20), st.booleans())
def test_the_quick_way_and_the_careful_way_read_the_same(table, careful):
    text = "".join(f"{key} {value}\n" for key, value in table.items()) + (
        "zz: y\n  more\n" if careful else ""
    )
    found, _ = read(read_map, text)
    found.pop("zz:", None)
    assert found == table
    assert list(found) == list(table)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("Root: a, b\n", {"root": "a, b"}),
        ('"john smith": x\n', {"john smith": "x"}),
        ("a b: x\n", {"a b": "x"}),
        ("foo :bar\n", {"foo": "bar"}),
        ('list: :include:/x,\n "|cmd x"\n', {"list": ':include:/x, "|cmd x"'}),
    ],
)
def test_records_of_an_alias_file(text, table):
    assert read(read_aliases, text) == (table, [])


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("no colon\n", "f, line 1: need name:value pair"),
        ("q:\n", "f, line 1: need name:value pair"),
        (":foo\n", "f, line 1: need name:value pair"),
        ("a@b: c\n", "f, line 1: name must be local"),
    ],
)
def test_what_is_no_alias_is_warned_of(text, warning):
    assert read(read_aliases, text) == ({}, [warning])


def test_of_equal_aliases_the_first_counts():
    assert read(read_aliases, "a: 1\nA: 2\n") == ({"a": "1"}, ['f, line 2: duplicate entry: "a"'])


@given(st.text(alphabet='ab:" \\\n\t#@'))
def test_no_text_is_too_odd_to_read(text):
    read(read_map, text)
    read(read_aliases, text)
