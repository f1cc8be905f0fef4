"""The sorts of values that main.cf knows, as Postfix reads them (postconf(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroad.base.params import Kind

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
#: Postfix looks at the first letter of the unit alone; so ${postscreen_dnsbl_ttl}h may be 5mh.
_TIME = re.compile(r"([0-9]+)\s*(?:([smhdwSMHDW]).*)?")
_SIZE = re.compile(r"([0-9]+)\s*([kKmMgG]?)")


def _parse_bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in ("yes", "no"):
        raise ValueError("expected yes or no")
    return lowered == "yes"


def _parse_int(text: str) -> int:
    stripped = text.strip()
    if not re.fullmatch(r"-?[0-9]+", stripped):
        raise ValueError("expected a number")
    return int(stripped)


def _parse_size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a size such as 4096, 256k or 10m")
    return int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[match[2].lower()]


def time_kind(unit: str = "s") -> Kind[int]:
    """Return the kind of a time whose unit, when none is written, is ``unit``.  Values are seconds."""

    def parse(text: str) -> int:
        match = _TIME.fullmatch(text.strip())
        if match is None:
            raise ValueError("expected a time such as 90s, 5m, 1h or 5d")
        return int(match[1]) * _UNITS[(match[2] or unit).lower()]

    return Kind("time", parse, lambda seconds: f"{seconds}s")


def split_list(text: str, separators: str = ", \t\r\n") -> tuple[str, ...]:
    """Split at commas and blanks, except inside ``{ }``; a member's outermost braces stay.

    Raises ValueError for a brace that is not closed.
    """
    if "{" not in text and "}" not in text:
        return (
            tuple(re.split(rf"[{re.escape(separators)}]+", text.strip(separators)))
            if text.strip(separators)
            else ()
        )
    members: list[str] = []
    start, depth = -1, 0
    for at, char in enumerate(text):
        if char in separators and depth == 0:
            if start >= 0:
                members.append(text[start:at])
                start = -1
            continue
        if start < 0:
            start = at
        depth += (char == "{") - (char == "}")
        if depth < 0:
            raise ValueError("a } without its {")
    if depth:
        raise ValueError("a { that is not closed")
    if start >= 0:
        members.append(text[start:])
    return tuple(members)


def choice(*names: str) -> Kind[str]:
    """Return the kind of a value that is one of ``names``, whatever the letters' case."""

    def parse(text: str) -> str:
        lowered = text.strip().lower()
        if lowered not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return lowered

    return Kind(" or ".join(names), parse, str)


def _show_list(values: Iterable[str]) -> str:
    return ", ".join(values)


BOOL = Kind("yes or no", _parse_bool, lambda value: "yes" if value else "no")
INT = Kind("number", _parse_int, str)
SIZE = Kind("size", _parse_size, str)
TIME = time_kind("s")
TIME_HOURS = time_kind("h")
TIME_DAYS = time_kind("d")
STRING: Kind[str] = Kind("text", str.strip, str)
RAW: Kind[str] = Kind("text that is not expanded", str.strip, str, raw=True)
LIST: Kind[tuple[str, ...]] = Kind("list", split_list, _show_list)
