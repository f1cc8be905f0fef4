"""The address in MAIL, RCPT and VRFY: read as RFC 822 had it, because that is what clients send.

``<a@b>`` is read; so are a comment, a display name and a source route around it, which are
dropped.  The result is the internal form, without quotes.
"""

from __future__ import annotations

import re

from postroad.proto.hostname import valid_address, valid_hostname, valid_literal, valid_unicode_hostname

_SPACE = " \t\r\n\f\v"
_OPERATORS = frozenset('|"(),.:;<>@[]')
_ATOM = re.compile(r'(?:[^\\|"(),.:;<>@\[\] \t\r\n\f\v]|\\.?)+', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|\\?$)', re.DOTALL)
_LITERAL = re.compile(r"\[((?:[^\]\\]|\\.)*)(\]|\\?$)", re.DOTALL)
_COMMENT_PART = re.compile(r"[^()\\]*")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_WORD, _OPERATOR = True, False
Token = tuple[bool, str]


class BadAddress(ValueError):  # noqa: N818 - a finding about input, not a failure
    """The text is no address that could be used."""


def parse(text: str, *, strict: bool = False) -> str:
    """Return the internal form of the address that a command has; "" for the null address.

    BadAddress when there is more than one, or, if ``strict``, anything but ``<address>``.
    """
    bracketed = text.startswith("<") and text.endswith(">")
    inner = text[1:-1] if bracketed else text
    if inner.startswith("@") and ":" in inner:  # RFC 5321 appendix C: the route is ignored
        inner = inner[inner.index(":") + 1 :]
    tokens, comment = _tokens(inner)
    addresses, other = _gather(tokens)
    other = other or comment
    if len(addresses) > 1 or (strict and (other or not bracketed)):
        raise BadAddress(text)
    address = addresses[0] if addresses else ""
    if strict and address.startswith("@"):
        raise BadAddress(text)
    return address


def check(address: str, *, unicode_domain: bool, ascii_only: bool = False, leading_hyphen: bool = False, numeric_domain: bool = False) -> None:  # fmt: skip  # noqa: E501
    """Raise BadAddress when the domain is none, or the address could be taken for an option."""
    _, at, domain = address.rpartition("@")
    if (address.startswith("-") and not leading_hyphen) or (ascii_only and not address.isascii()):
        raise BadAddress(address)
    if not at:
        if domain.startswith("["):
            raise BadAddress(address)
        return
    domain = domain.removesuffix(".")
    if domain.startswith("["):
        good = valid_literal(domain)
    elif unicode_domain:
        good = valid_unicode_hostname(domain)
    else:
        good = valid_hostname(domain)
    if not good and not (numeric_domain and valid_address(domain)):
        raise BadAddress(address)


def _tokens(text: str) -> tuple[list[Token], bool]:
    """Return the tokens, and whether there was a comment."""
    tokens: list[Token] = []
    comment = False
    at = 0
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at += 1
            continue
        if char == "(":
            at = _skip_comment(text, at + 1)
            comment = True
            continue
        pattern = {'"': _QUOTED, "[": _LITERAL}.get(char)
        if pattern is None and char in _OPERATORS:
            tokens.append((_OPERATOR, char))
            at += 1
            continue
        match = (pattern or _ATOM).match(text, at)
        if match is None:  # an unclosed quote behind a lone backslash
            raise BadAddress(text)
        word = _ESCAPE.sub(r"\1", match[1] if pattern else match[0])
        tokens.append((_WORD, f"[{word}]" if char == "[" else word))
        at = match.end()
    return tokens, comment


def _skip_comment(text: str, at: int) -> int:
    depth = 1
    while at < len(text) and depth:
        part = _COMMENT_PART.match(text, at)
        at = part.end() if part else at
        if at < len(text):
            char = text[at]
            depth += (char == "(") - (char == ")")
            at += 2 if char == "\\" else 1
    return at


def _gather(tokens: list[Token]) -> tuple[list[str], bool]:
    """Return the addresses, and whether there was anything besides (a name, a group, a comma)."""
    addresses: list[str] = []
    pieces: list[list[Token]] = []  # what stands since the last separator, cut between two words
    other = inside = False

    def close() -> None:
        addresses.extend("".join(text for _, text in piece) for piece in pieces)
        pieces.clear()

    for is_word, text in tokens:
        if is_word:
            if not pieces or pieces[-1][-1][0] is _WORD:
                pieces.append([])
            pieces[-1].append((is_word, text))
        elif text == "<" and not inside:
            other = other or bool(pieces)  # a display name
            pieces.clear()
            inside = True
        elif text in ",<>":
            other = other or text == ","
            close()
            inside = False
        elif text == ";":
            other = True
            _drop_group_name(pieces)
            close()
        else:
            if not pieces:
                pieces.append([])
            pieces[-1].append((is_word, text))
    close()
    return [address for address in addresses if address], other


def _drop_group_name(pieces: list[list[Token]]) -> None:
    """``name: member;``: keep the member."""
    for number, piece in enumerate(pieces):
        for at, token in enumerate(piece):
            if token == (_OPERATOR, ":"):
                pieces[: number + 1] = [piece[at + 1 :]] if piece[at + 1 :] else []
                return
