"""Addresses in header fields: found and replaced, with everything around them kept.

People and programs write what they like into From and To, so nothing is refused: what is not
understood is kept as it is, a comma that is missing between two addresses is put in, a list that is
cut off is taken as far as it goes.  Group names, display names and comments stay where they are.

    parts = parse("Al (boss) <al>, bob")         # Part(ADDRESS, "al"), Part(ADDRESS, "bob") among others
    parts[3].text = "al@example.com"             # internal form
    render("To", parts)                          # 'To: Al (boss) <al@example.com>, bob'

The reading goes from right to left: the end of an address is easier to tell than its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum

from postroad.mail import header as block
from postroad.mail.address import to_external

_TOKEN = re.compile(
    r"[ \t\r\n]*+(?:"
    r'"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*)(?:"|\\?\Z)'
    r"|\[(?P<literal>[^\]\\]*+(?:\\.[^\]\\]*+)*)(?:\]|\\?\Z)"
    r"|(?P<comment>\()"
    r"|(?P<special>[|%!)<>@,;:.\]])"
    r'|(?P<atom>(?:\\.|[^ \t\r\n|%!()<>@,;:\\".\[\]]++)+)'
    r"|\\\Z)",
    re.DOTALL,
)
_COMMENT_STEP = re.compile(r"[^()\\]*+(?:\\.[^()\\]*+)*(?:[()]|\\?\Z)", re.DOTALL)
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNFIT_ATOM = re.compile(r'[\x00-\x20\x7f|%!()<>@,;:\\".\[\]]')
_QUOTE = re.compile(r'["\\\r\n]')
_FOLD_AT = 70  # characters; where Postfix breaks a line that it wrote anew


class Sort(Enum):
    """What a part of an address list is."""

    ADDRESS = "address"
    WORD = "word"
    QUOTED = "quoted"
    LITERAL = "literal"
    COMMENT = "comment"
    SPECIAL = "special"
    GROUP = "group"


_SPACED = frozenset({Sort.ADDRESS, Sort.WORD, Sort.QUOTED, Sort.LITERAL, Sort.COMMENT})
_WORDS = frozenset({Sort.WORD, Sort.QUOTED, Sort.LITERAL})


class Part:
    """A part of an address list.  An ADDRESS has its internal form as ``text`` and may be given another.

    ``odd`` says that an ADDRESS was quoted in need of nothing, or in need of quotes and not quoted.
    """

    __slots__ = ("odd", "sort", "text")

    def __init__(self, sort: Sort, text: str, *, odd: bool = False) -> None:
        self.sort = sort
        self.text = text
        self.odd = odd

    def __repr__(self) -> str:
        return f"Part({self.sort.name}, {self.text!r})"

    def external(self) -> str:
        """Return the part as it stands in a header field."""
        if self.sort is Sort.ADDRESS:
            return to_external(self.text)
        if self.sort is Sort.QUOTED:
            return '"' + _QUOTE.sub(r"\\\g<0>", self.text) + '"'
        if self.sort is Sort.LITERAL:
            return f"[{self.text}]"
        return self.text


def parse(text: str, limit: int = 10240) -> list[Part]:
    """Return the parts of an address list, at most ``limit`` tokens of it; the rest is left out."""
    return _Reader(_tokens(text.replace("\r\n", "\n").replace("\r", " ").strip("\n"), limit)).read()


def addresses(text: str, limit: int = 10240) -> list[str]:
    """Return the addresses of a list in internal form, in their order."""
    return [part.text for part in parse(text, limit) if part.sort is Sort.ADDRESS]


def recipients_of(header: bytes, limit: int = 10240) -> list[str]:
    """Return the recipients that a header names, for ``sendmail -t``: To, Cc and Bcc.

    Only those of Resent-To, Resent-Cc and Resent-Bcc when the message was sent again (RFC 5322 3.6.6).
    Internal form, as they stand, duplicates included.
    """
    found = list(block.fields(header))
    resent = any(field.name.startswith(b"resent-") for field in found)
    names = {b"to", b"cc", b"bcc"}
    wanted = {b"resent-" + name for name in names} if resent else names
    result: list[str] = []
    for field in found:
        if field.name in wanted:
            result += addresses(field.body.decode("utf-8", "surrogateescape"), limit)
    return result


def render(name: str, parts: Sequence[Part]) -> str:
    """Return a whole field without its last line end, folded with CRLF and a tab."""
    pieces: list[str] = [f"{name}: "]
    last = len(parts) - 1
    for at, part in enumerate(parts):
        pieces.append(part.external())
        if part.sort is Sort.SPECIAL and part.text == ",":
            pieces.append("\n")
        elif at < last and _wants_space(part, parts[at + 1]):
            pieces.append(" ")
    return _folded("".join(pieces))


def _wants_space(part: Part, following: Part) -> bool:
    if part.sort is Sort.GROUP or (following.sort is Sort.SPECIAL and following.text == "<"):
        return True
    return part.sort in _SPACED and following.sort in _SPACED


def _folded(text: str) -> str:
    first, *rest = text.split("\n")
    lines = [first]
    for piece in rest:
        if len(lines[-1]) + 1 + len(piece) < _FOLD_AT:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return "\r\n".join(
        [lines[0], *(line if line.startswith((" ", "\t")) else f"\t{line}" for line in lines[1:])]
    )


def _tokens(text: str, limit: int) -> list[Part]:
    tokens: list[Part] = []
    at = 0
    while len(tokens) < limit and (found := _TOKEN.match(text, at)) is not None:
        at = found.end()
        kind = found.lastgroup
        if kind == "comment":
            at, comment = _comment(text, at)
            tokens.append(Part(Sort.COMMENT, comment))
        elif kind is not None:
            tokens.append(_token(kind, found[kind]))
        if at >= len(text):
            break
    return tokens


def _token(kind: str, text: str) -> Part:
    if kind == "special":
        return Part(Sort.SPECIAL, text)
    plain = _UNESCAPE.sub(r"\1", text).translate({9: " ", 10: " ", 13: " "})
    if kind == "atom":
        return Part(Sort.QUOTED if "\\" in text and _UNFIT_ATOM.search(plain) else Sort.WORD, plain)
    return Part(Sort.QUOTED if kind == "quoted" else Sort.LITERAL, plain)


def _comment(text: str, at: int) -> tuple[int, str]:
    """Return where the comment ends that was opened in front of ``at``, and the whole of it."""
    start, depth = at - 1, 1
    while depth and at < len(text):
        found = _COMMENT_STEP.match(text, at)
        assert found is not None
        at = found.end()
        depth += {"(": 1, ")": -1}.get(found[0][-1:], 0)
    return at, text[start:at]


class _Reader:
    """Groups tokens into addresses, from right to left; ``_done`` and ``_address`` are back to front."""

    def __init__(self, tokens: list[Part]) -> None:
        self._tokens = tokens
        self._at = len(tokens) - 1
        self._done: list[Part] = []
        self._address: list[Part] = []
        self._word_fits = True  # a word may stand left of what was read last
        self._in_group = False

    def read(self) -> list[Part]:
        while self._at >= 0:
            self._step(self._tokens[self._at])
        self._close()
        self._done.reverse()
        return self._done

    def _step(self, token: Part) -> None:
        if token.sort is Sort.COMMENT:
            self._done.append(token)
        elif token.sort in _WORDS:
            if not self._word_fits:
                self._close(comma=True)
            self._word_fits = False
            self._address.append(token)
        elif token.text == ">":
            self._angle(token)
            return
        elif token.text == ":" and self._in_group:
            self._group_name(token)
            return
        else:
            self._special(token)
        self._at -= 1

    def _special(self, token: Part) -> None:
        self._word_fits = True
        if token.text == ";":
            self._close(comma=True)
            self._in_group = True
            self._done.append(token)
        elif token.text == ",":
            self._close()
            self._done.append(token)
        else:
            self._address.append(token)

    def _close(self, *, comma: bool = False) -> None:
        if not self._address:
            return
        self._address.reverse()
        text = _internal(self._address)
        self._done.append(Part(Sort.ADDRESS, text, odd=_is_odd(self._address, text)))
        self._address.clear()
        if comma:
            self._done.append(Part(Sort.SPECIAL, ","))

    def _angle(self, token: Part) -> None:
        """Read ``phrase <address>`` from its right end."""
        self._close(comma=True)
        self._done.append(token)
        self._at -= 1
        while self._at >= 0 and not self._is_special("<"):
            inner = self._tokens[self._at]
            (self._done if inner.sort is Sort.COMMENT else self._address).append(inner)
            self._at -= 1
        self._close()
        while self._at >= 0 and not self._is_special(">;,:"):
            self._done.append(self._tokens[self._at])
            self._at -= 1
        self._word_fits = True

    def _group_name(self, token: Part) -> None:
        """Read ``name:``, the beginning of a group."""
        self._close()
        self._done.append(Part(Sort.GROUP, token.text))
        self._at -= 1
        while self._at >= 0 and not self._is_special(","):
            self._done.append(self._tokens[self._at])
            self._at -= 1

    def _is_special(self, which: str) -> bool:
        token = self._tokens[self._at]
        return token.sort is Sort.SPECIAL and token.text in which


def _internal(tokens: Iterable[Part]) -> str:
    return "".join(f"[{t.text}]" if t.sort is Sort.LITERAL else t.text for t in tokens)


def _is_odd(tokens: Sequence[Part], text: str) -> bool:
    before = Sort.SPECIAL
    for token in tokens:
        if token.sort in _WORDS and before in _WORDS:
            return False  # "<two words@domain>": whatever is made of it is worse
        before = token.sort
    return text != "" and "".join(token.external() for token in tokens) != to_external(text)
