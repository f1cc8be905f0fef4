"""IP addresses and networks as numbers, and Postfix's words for those that are none."""

from __future__ import annotations

import socket
from typing import NamedTuple


class Network(NamedTuple):
    """A network: ``width`` is 32 or 128, ``base`` its first address, ``length`` that of its prefix."""

    width: int
    base: int
    length: int

    def holds(self, width: int, number: int) -> bool:
        """Return whether an address is in it."""
        return width == self.width and number >> (width - self.length) == self.base >> (width - self.length)


def parse_address(text: str) -> tuple[int, int] | None:
    """Return (32 or 128, number) of an IP address, None when it is none."""
    try:
        if ":" in text:
            return 128, int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
        return 32, int.from_bytes(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return None


def parse_network(pattern: str) -> Network:
    """Return the network that ``address``, ``network/prefix`` or ``[v6]/prefix`` means.

    ValueError has the reason in Postfix's words.
    """
    text = pattern
    if pattern.startswith("["):
        text, bracket, rest = pattern[1:].partition("]")
        if not bracket:
            raise ValueError(f'missing "]" character after "{pattern}"')
        if rest and not rest.startswith("/"):
            raise ValueError(f'garbage after "]": "{rest}"')
        text += rest
    address, slash, mask = text.partition("/")
    parsed = parse_address(address)
    if parsed is None:
        raise ValueError(
            f'bad net/mask pattern: "{pattern}"' if slash else f'bad address pattern: "{pattern}"'
        )
    width, number = parsed
    if not slash:
        return Network(width, number, width)
    if not (mask.isascii() and mask.isdecimal() and len(mask) < 5 and int(mask) <= width):
        raise ValueError(f'bad mask length in "{pattern}"')
    length = int(mask)
    base = number >> (width - length) << (width - length)
    if base != number:
        family = socket.AF_INET if width == 32 else socket.AF_INET6
        right = socket.inet_ntop(family, base.to_bytes(width // 8))
        raise ValueError(
            f'non-null host address bits in "{pattern}", perhaps you should use "{right}/{length}" instead'
        )
    return Network(width, base, length)
