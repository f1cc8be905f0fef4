"""What both ends of an authentication share."""

from __future__ import annotations

import stringprep
import unicodedata

#: What a name and a password may be long, in bytes: more is no password but an attack (RFC 4616 has 255).
NAME_LIMIT = 512
PASSWORD_LIMIT = 1024

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Return a name or a password in the form in which it is compared (RFC 4013).

    Code points that Unicode 3.2 does not know stay as they are, as in a query.  ValueError for what
    is prohibited (control characters and the like), never with the text in it.
    """
    if text.isascii():
        if not text.isprintable():
            raise ValueError("a control character")
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )  # RFC 4013 2.1
    prepared = unicodedata.normalize("NFKC", mapped)  # RFC 4013 2.2
    for char in prepared:
        if any(prohibited(char) for prohibited in _PROHIBITED):  # RFC 4013 2.3
            raise ValueError("a prohibited character")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """Refuse a text whose directions are mixed (RFC 3454 6)."""
    if not any(stringprep.in_table_d1(char) for char in text):
        return
    if any(stringprep.in_table_d2(char) for char in text):
        raise ValueError("letters of both directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("a text from right to left with other ends")
