"""XFORWARD: what the next host is told of where a message comes from, before its MAIL."""

from __future__ import annotations

import re
from collections.abc import Collection

from postroad.model.message import Message
from postroad.proto import xtext

_UNKNOWN = ("", "unknown")
#: The first of the two commands.
NAME_ADDRESS = re.compile(rb"XFORWARD (?:NAME|ADDR|PORT)=")


def introduction(message: Message, known: Collection[str]) -> list[bytes]:
    """Return the commands for a message, at most two; ``known`` are the attributes that the server takes."""
    commands = (_first(message), _second(message))
    made = []
    for values in commands:
        words = [
            f" {name}={xtext.encode(value)}"
            for name, value in values
            if name in known and value.lower() not in _UNKNOWN
        ]
        if words:
            made.append(f"XFORWARD{''.join(words)}\r\n".encode())
    return made


def _first(message: Message) -> list[tuple[str, str]]:
    found = message.attributes
    address = found.get("log_client_address", "")
    return [
        ("NAME", found.get("log_client_name", "")),
        ("ADDR", f"IPv6:{address}" if ":" in address else address),
        ("PORT", found.get("log_client_port", "")),
    ]


def _second(message: Message) -> list[tuple[str, str]]:
    found = message.attributes
    by_smtp = "log_protocol_name" in found
    local = found.get("rewrite_context") == "local" or not by_smtp
    return [
        ("PROTO", found.get("log_protocol_name", "")),
        ("HELO", found.get("log_helo_name", "")),
        ("IDENT", found.get("log_ident", message.id if by_smtp else "")),
        ("SOURCE", "LOCAL" if local else "REMOTE"),
    ]
