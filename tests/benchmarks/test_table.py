import pytest
from benchmarks.table import mebibytes, number, significant, spread, table


def test_a_table_has_a_head_and_a_line_for_each_row():
    assert table(("", "a", "b"), [("x", "1", "2")]) == "|  | a | b |\n|---|---:|---:|\n| x | 1 | 2 |\n"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "-"),
        ([1234.4], "1,234"),
        ([3, 1, 2], "2 (1-3)"),
        ([1, 2], "2 (1-2)"),
        ([4, 1, 3, 2000], "4 (1-2,000)"),
    ],
)
def test_a_spread_is_the_median_with_least_and_most(values, text):
    assert spread(values) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_three_digits_are_significant(value, text):
    assert significant(value) == text


def test_what_is_not_known_is_a_dash():
    assert number(None) == mebibytes(None) == "-"
    assert mebibytes(3 << 20) == "3.00"
