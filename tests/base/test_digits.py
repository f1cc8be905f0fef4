from __future__ import annotations

import pytest

from postroad.base.digits import significant


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0, 2, "0"),
        (0.0814, 2, "0.08"),
        (0.0014, 3, "0.001"),
        (0.0014, 2, "0"),
        (1.26, 2, "1.3"),
        (12.6, 2, "13"),
        (1.6, 0, "2"),
        (0.10, 2, "0.1"),
    ],
)
def test_two_digits_matter(value, digits, text):
    assert significant(value, digits) == text
