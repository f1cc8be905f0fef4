"""Milters as main.cf names them: where each one listens, and how it is spoken to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from postroad.base.kinds import TIME, split_list
from postroad.base.params import Settings
from postroad.filters import params as p
from postroad.model.reply import Reply
from postroad.proto.milter.machine import CLOSING, UNAVAILABLE
from postroad.proto.milter.options import Offer, read_offer
from postroad.proto.milter.replies import MalformedReply, read_reply

_INET = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]*)):([^:]+)")
_OPTIONS: Final = ("connect_timeout", "command_timeout", "content_timeout", "default_action", "protocol")
REFUSED: Final = Reply(550, "5.5.0", "Service unavailable")


@dataclass(frozen=True, slots=True)
class Fallback:
    """What is done with mail when its milter fails: refused with a reply, held, or neither."""

    reply: Reply | None = None
    hold: bool = False


_FALLBACKS: Final = {
    "accept": Fallback(),
    "reject": Fallback(REFUSED),
    "tempfail": Fallback(UNAVAILABLE),
    "quarantine": Fallback(hold=True),
    "shutdown": Fallback(CLOSING),
}


@dataclass(frozen=True, slots=True)
class MilterSpec:
    """One milter.  ``name`` is as it was written; it has a host and a port, or the path of a socket."""

    name: str
    host: str
    port: str
    path: str
    connect_timeout: int
    command_timeout: int
    content_timeout: int
    fallback: Fallback
    offer: Offer


def read_fallback(text: str) -> Fallback:
    """Return what ``default_action`` names; ValueError when it is nothing."""
    known = _FALLBACKS.get(text.strip().lower())
    if known is not None:
        return known
    try:
        return Fallback(read_reply(text.strip().encode()))
    except MalformedReply:
        raise ValueError(f"unrecognized default action: {text}") from None


def read_milters(members: Iterable[str], settings: Settings) -> tuple[MilterSpec, ...]:
    """Return the milters of a list; ValueError for what cannot be read, in words for the operator."""
    return tuple(_read(member, settings) for member in members)


def _read(member: str, settings: Settings) -> MilterSpec:
    endpoint, options = member, {}
    if member.startswith("{"):
        words = split_list(_inside(member))
        if not words:
            raise ValueError(f'empty milter definition: "{member}"')
        endpoint = words[0]
        options = dict(_option(word, member) for word in words[1:])

    def span(name: str, default: int) -> int:
        found = TIME.parse(options[name]) if name in options else default
        if found < 1:
            raise ValueError(f"milter service syntax error: {name} of {endpoint} is less than a second")
        return found

    host, port, path = _endpoint(endpoint)
    return MilterSpec(
        endpoint,
        host,
        port,
        path,
        connect_timeout=span("connect_timeout", settings[p.MILTER_CONNECT_TIMEOUT]),
        command_timeout=span("command_timeout", settings[p.MILTER_COMMAND_TIMEOUT]),
        content_timeout=span("content_timeout", settings[p.MILTER_CONTENT_TIMEOUT]),
        fallback=read_fallback(options.get("default_action", settings[p.MILTER_DEFAULT_ACTION])),
        offer=read_offer(options.get("protocol", settings[p.MILTER_PROTOCOL])),
    )


def _option(word: str, member: str) -> tuple[str, str]:
    name, equals, value = (_inside(word) if word.startswith("{") else word).partition("=")
    name = name.strip()
    if not equals or name not in _OPTIONS:
        raise ValueError(f'milter service syntax error: "{word}" in {member}')
    return name, value.strip()


def _inside(text: str) -> str:
    if len(text) < 2 or text[-1] != "}":
        raise ValueError(f'milter service syntax error: text behind }} in "{text}"')
    return text[1:-1].strip()


def _endpoint(text: str) -> tuple[str, str, str]:
    kind, colon, rest = text.partition(":")
    if not colon or not rest:
        raise ValueError(f'Milter service needs transport:endpoint instead of "{text}"')
    if kind in ("unix", "local"):
        return "", "", rest
    if kind != "inet":
        raise ValueError(f"invalid transport name: {kind} in Milter service: {text}")
    found = _INET.fullmatch(rest)
    if found is None:
        raise ValueError(f'Milter service needs host:port instead of "{rest}"')
    return found[1] or found[2] or "localhost", found[3], ""
