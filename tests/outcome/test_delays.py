import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.outcome.delays import fields, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "0"),
        (0.001, "0"),
        (0.012, "0.01"),
        (0.25, "0.25"),
        (0.999, "1"),
        (1.26, "1.3"),
        (9.94, "9.9"),
        (12.4, "12"),
        (86400.2, "86400"),
    ],
)
def test_two_significant_digits_and_no_more_than_two_behind_the_point(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(("value", "digits", "text"), [(0.0012, 4, "0.0012"), (0.25, 0, "0"), (1.5, 0, "2")])
def test_the_resolution_is_a_limit(value, digits, text):
    assert seconds(value, digits) == text


@given(st.tuples(*[st.floats(-0.1, 1.2) | st.floats(-1, 1e5)] * 5), st.sampled_from([0, 2, 3, 6]))
def test_each_field_is_printed_as_it_is_by_itself(values, digits):
    total, *parts = [seconds(value, digits) for value in values]
    assert fields(*values, digits) == f"delay={total}, delays={'/'.join(parts)}"
