"""PCRE's syntax in that of the ``regex`` package, where the two differ."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\k[<{'](\w+)[>}']|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\$", re.DOTALL
)
_SAME = {
    r"\z": r"\Z",
    r"\Z": r"(?=\n?\Z)",
    r"\h": r"[ \t\xa0]",
    r"\H": r"[^ \t\xa0]",
    r"\R": r"(?>\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
    r"\N": r"[^\n]",
    r"\e": r"\x1b",
}


def translate(pattern: str, *, multiline: bool = False, dollar_end_only: bool = False) -> str:
    r"""Return the pattern with ``\z \Z \h \R \N \e \k<name> \Q...\E`` and ``$`` as ``regex`` has them."""
    end = "$" if multiline else r"\Z" if dollar_end_only else r"(?=\n?\Z)"

    def change(match: re.Match[str]) -> str:
        found = match[0]
        if found == "$":
            return end
        if found.startswith(r"\Q"):
            return re.escape(found[2:].removesuffix(r"\E"))
        if match[1]:
            return f"(?P={match[1]})"
        return _SAME.get(found, found)

    return _TOKEN.sub(change, pattern)


#: No extensions, no letters behind a backslash but the usual classes, no lazy or possessive quantifiers.
_COMMON = re.compile(r"(?:[^\\(*+?}]|\((?!\?)|\\[^A-Za-z0-9]|\\[dDwWsSb]|[*+?}](?![?+]))*")

#: What engines read differently, or warn of, between brackets.
_SET_MARKS = ("[:", "[.", "[=", "[[", "--", "&&", "~~", "||")


def is_common(pattern: str) -> bool:
    """Return whether a pattern uses only what Perl's and POSIX's expressions have in common."""
    return _COMMON.fullmatch(pattern) is not None and not any(mark in pattern for mark in _SET_MARKS)


def ungreedy(pattern: str) -> str:
    """Return the pattern with every quantifier's greediness turned round (flag U)."""
    quantifier = re.compile(
        r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?)|([*+?]|\{[0-9]+,?[0-9]*\})([?+]?)", re.DOTALL
    )
    turned = {"": "?", "?": "", "+": "+"}
    return quantifier.sub(lambda m: m[1] or m[2] + turned[m[3]], pattern)
