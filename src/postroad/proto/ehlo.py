"""The keywords of the reply to EHLO, and those that an operator takes away."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

#: What smtpd_discard_ehlo_keywords may name.
KEYWORDS = frozenset({
    "8bitmime", "auth", "chunking", "dsn", "enhancedstatuscodes", "etrn", "pipelining",
    "silent-discard", "size", "smtputf8", "starttls", "vrfy", "xclient", "xforward",
})  # fmt: skip
CLIENT_ATTRIBUTES = "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"
FORWARD_ATTRIBUTES = "NAME ADDR PROTO HELO SOURCE PORT IDENT"
SILENT = "silent-discard"


def discards(words: Collection[str]) -> frozenset[str]:
    """Return the keywords to leave out, in lower case.  ValueError names one that nobody knows."""
    lowered = frozenset(word.lower() for word in words)
    unknown = sorted(lowered - KEYWORDS)
    if unknown:
        raise ValueError(f"unknown EHLO keyword {unknown[0]!r}")
    return lowered


@lru_cache(64)  # a service has few answers, and gives one in each session
def announce(hostname: str, without: frozenset[str], *, size_limit: int, smtputf8: bool, vrfy: bool, starttls: bool = False, auth: str = "", twice: bool = False, xclient: bool = False, xforward: bool = False) -> bytes:  # fmt: skip  # noqa: E501
    """Return the reply to EHLO, keywords in Postfix's order.

    ``auth`` lists mechanisms; ``twice`` says it in the way of clients from before RFC 2554 as well.
    """
    keywords = {
        "pipelining": "PIPELINING",  # RFC 2920
        "size": f"SIZE {size_limit}" if size_limit else "SIZE",  # RFC 1870
        "vrfy": "VRFY" if vrfy else "",
        "etrn": "ETRN",  # RFC 1985
        "starttls": "STARTTLS" if starttls else "",  # RFC 3207
        "auth": f"AUTH {auth}" if auth else "",  # RFC 4954
        "xclient": f"XCLIENT {CLIENT_ATTRIBUTES}" if xclient else "",
        "xforward": f"XFORWARD {FORWARD_ATTRIBUTES}" if xforward else "",
        "enhancedstatuscodes": "ENHANCEDSTATUSCODES",  # RFC 2034
        "8bitmime": "8BITMIME",  # RFC 6152
        "dsn": "DSN",  # RFC 3461
        "smtputf8": "SMTPUTF8" if smtputf8 else "",  # RFC 6531
        "chunking": "CHUNKING",  # RFC 3030
    }
    if auth and twice:
        keywords["auth"] += f"\r\n250-AUTH={auth}"
    lines = [hostname, *(text for name, text in keywords.items() if text and name not in without)]
    return "".join([*(f"250-{line}\r\n" for line in lines[:-1]), f"250 {lines[-1]}\r\n"]).encode()
