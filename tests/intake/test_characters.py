import pytest

from postroad.intake.characters import character_set


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        (r"\0", b"\0"),
        (r"\0\1\177", b"\0\1\x7f"),
        (r"a\tb", b"a\tb"),
        (r"\\", b"\\"),
        (r"\r\nx", b"x"),
        (r"\0331", b"\x1b1"),
        (r"\q", b"q"),
    ],
)
def test_escapes_name_bytes_and_line_ends_are_left_out(text, expected):
    assert character_set(text) == expected
