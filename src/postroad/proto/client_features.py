"""What a server offers in its reply to EHLO or LHLO."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from postroad.proto.replies import printable

#: The keywords that smtp_discard_ehlo_keywords may name, in the order in which they are logged.
KEYWORDS = ("8BITMIME", "AUTH", "DSN", "PIPELINING", "SIZE", "STARTTLS", "XFORWARD", "SMTPUTF8", "CHUNKING")
_KNOWN = frozenset(KEYWORDS)


class Features:
    """The extensions that may be used.  ``size_limit`` 0: none was told.  ``name``: what it calls itself."""

    __slots__ = (
        "auth",
        "bad_size",
        "chunking",
        "dsn",
        "eight_bit",
        "name",
        "offers",
        "pipelining",
        "size",
        "size_limit",
        "smtputf8",
        "starttls",
        "xforward",
    )

    def __init__(self) -> None:
        self.name = ""
        self.offers: frozenset[str] = frozenset()
        self.auth: tuple[str, ...] = ()
        self.xforward: tuple[str, ...] = ()  # the attributes that may be told
        self.size_limit = 0
        self.bad_size = ""
        self.pipelining = self.size = self.eight_bit = self.smtputf8 = False
        self.dsn = self.chunking = self.starttls = False


def parse_discard(words: Iterable[str]) -> tuple[frozenset[str], bool]:
    """Return the keywords to ignore, and whether that is logged (no ``silent-discard`` among them)."""
    upper = {word.upper() for word in words}
    return frozenset(upper & _KNOWN), "SILENT-DISCARD" not in upper


@lru_cache(maxsize=200)
def parse_features(raw: bytes, discard: frozenset[str] = frozenset()) -> Features:
    """Read the lines of a 250 reply to EHLO: the server's name, then a keyword on each line.

    Keywords in ``discard`` count as not offered; unknown ones are ignored.  A server says the same to
    every connection, so the answer is remembered, and shared.
    """
    features = Features()
    lines = raw.split(b"\n")
    features.name = (printable(lines[0][4:]).split() or [""])[0]
    offers = set()
    for line in lines[1:]:
        # AUTH=LOGIN is what servers of an old draft say.
        words = printable(line[4:]).replace("=", " ", 1).split()
        if not words or (keyword := words[0].upper()) in discard or keyword not in _KNOWN:
            continue
        offers.add(keyword)
        if keyword == "SIZE" and len(words) > 1:
            _read_size(features, words[1])
        elif keyword == "AUTH":
            features.auth += tuple(words[1:])
        elif keyword == "XFORWARD":
            features.xforward = tuple(word.upper() for word in words[1:])
    features.offers = frozenset(offers)
    features.pipelining = "PIPELINING" in offers
    features.size = "SIZE" in offers
    features.smtputf8 = "SMTPUTF8" in offers
    # A server that takes UTF-8 headers takes 8-bit text, even when it forgot to say so (RFC 6531 3.1).
    features.eight_bit = "8BITMIME" in offers or features.smtputf8
    features.dsn = "DSN" in offers
    features.chunking = "CHUNKING" in offers
    features.starttls = "STARTTLS" in offers
    return features


def _read_size(features: Features, word: str) -> None:
    if word.isascii() and word.isdigit() and len(word) <= 20:  # RFC 1870 4: up to twenty digits
        features.size_limit = int(word)
    else:
        features.bad_size = word
