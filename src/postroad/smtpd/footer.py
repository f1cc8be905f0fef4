"""smtpd_reject_footer: what the operator wants a refused client to know."""

from __future__ import annotations

import re
from collections.abc import Callable

from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.tables.maps import Maps

_NAME = re.compile(r"\$(?:(\$)|\{(\w+)\}|\((\w+)\)|(\w+))")
_JOIN = "\\c"
_BREAK = "\\n"
#: What smtpd_expansion_filter lets through by default: printable ASCII, tab and space.
_CENSORED = re.compile(r"[^\t -~]")


class Footers:
    """smtpd_reject_footer_maps, and smtpd_reject_footer for the replies that they do not know.

    ValueError for a table that has to be waited for: a reply cannot wait.
    """

    __slots__ = ("_make", "_maps", "_otherwise", "_warn")

    def __init__(self, maps: Maps, template: str, make: Callable[[str], Footer], warn: Callable[[str], None]) -> None:  # fmt: skip  # noqa: E501
        if not maps.now:
            raise ValueError("smtpd_reject_footer_maps: only tables that answer from memory can be used")
        self._maps = maps
        self._make = make
        self._warn = warn
        self._otherwise = make(template) if template else None

    def add(self, reply: Reply, client: Client) -> Reply:
        """Return the refusal with its footer behind it, if it has one."""
        template = None
        try:
            template = self._maps.find_now(reply.line()) if self._maps else None
        except TableUnavailable as error:
            self._warn(f"smtpd_reject_footer_maps lookup error: {error}")
        footer = self._otherwise if template is None else self._make(template)
        return reply if footer is None else footer.add(reply, client)


class Footer:
    """A template that is filled in for each refusal."""

    __slots__ = ("_clock", "_join", "_server", "_stamp", "_text")

    def __init__(self, template: str, server_name: str, clock: Clock, stamp: Callable[[float], str]) -> None:
        self._join = template.startswith(_JOIN)
        self._text = template.removeprefix(_JOIN)
        self._server = server_name
        self._clock = clock
        self._stamp = stamp  # a time as the log writes it

    def add(self, reply: Reply, client: Client) -> Reply:
        """Return the refusal with the footer behind it."""
        values: dict[str, Callable[[], str]] = {
            "client_address": lambda: client.address,
            "client_port": lambda: str(client.port),
            "localtime": lambda: self._stamp(self._clock.now()),
            "server_name": lambda: self._server,
        }

        def value(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            name = match[2] or match[3] or match[4]
            return values[name]() if name in values else ""

        footer = _CENSORED.sub("_", _NAME.sub(value, self._text)).replace(_BREAK, "\n")
        return Reply(reply.code, reply.status, f"{reply.text}{'' if self._join else chr(10)}{footer}")
