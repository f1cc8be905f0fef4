"""smtpd_reject_footer: what the operator wants a refused client to know."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

from postroad.base.censor import Censor
from postroad.base.clock import Clock
from postroad.base.errors import TableUnavailable
from postroad.base.expand import Expander, ExpansionError
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model import params as model
from postroad.model.client import Client
from postroad.model.facts import facts_of
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.smtpd import params as p
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

_JOIN = "\\c"
_BREAK = "\\n"
#: A table's text may have them; in a reply they would be the end of a line, or worse.
_CONTROL = re.compile(r"[\x00-\x08\n-\x1f\x7f]")


class Footers:
    """smtpd_reject_footer_maps, and smtpd_reject_footer for the replies that they do not know.

    ``name`` is the parameter with the tables.  ValueError for one that has to be waited for: a reply
    cannot wait.
    """

    __slots__ = ("_make", "_maps", "_name", "_otherwise", "_warn")

    def __init__(self, name: str, maps: Maps, template: str, make: Callable[[str], Footer], warn: Callable[[str], None]) -> None:  # fmt: skip  # noqa: E501
        if not maps.now:
            raise ValueError(f"{name}: only tables that answer from memory can be used")
        self._name = name
        self._maps = maps
        self._make = make
        self._warn = warn
        self._otherwise = make(template) if template else None

    def __bool__(self) -> bool:
        return bool(self._maps) or self._otherwise is not None

    def add(self, reply: Reply, client: Client, session: Session | None = None) -> Reply:
        """Return the refusal with its footer behind it, if it has one."""
        template = None
        try:
            template = self._maps.find_now(reply.line()) if self._maps else None
        except TableUnavailable as error:
            self._warn(f"{self._name} lookup error: {error}")
        footer = self._otherwise if template is None else self._make(template)
        return reply if footer is None else footer.add(reply, client, session)


class Footer:
    """A template that is filled in for each refusal; ``censor`` says what may come into it so."""

    __slots__ = ("_censor", "_clock", "_join", "_server", "_text", "_warn")

    def __init__(self, template: str, server_name: str, clock: Clock, censor: Censor, warn: Callable[[str], None]) -> None:  # fmt: skip  # noqa: E501
        self._join = template.startswith(_JOIN)
        self._text = template.removeprefix(_JOIN)
        self._server = server_name
        self._clock = clock
        self._censor = censor
        self._warn = warn

    def add(self, reply: Reply, client: Client, session: Session | None = None) -> Reply:
        """Return the refusal with the footer behind it; without one, if the template is malformed.

        It may speak of a session, where there is one, as default_rbl_reply does; of the recipients it
        names the first that was accepted.
        """
        facts: dict[str, str] = {}
        if session is not None:
            recipients = session.transaction.recipients
            facts = facts_of(session, recipients[0].address if recipients else None)

        def value(name: str) -> str:
            # what it says is text, never a template
            known = facts[name] if name in facts else self._value(name, client)
            return self._censor.censored(known).replace("$", "$$")

        try:
            footer = _CONTROL.sub("_", Expander(value).expand(self._text)).replace(_BREAK, "\n")
        except ExpansionError as error:
            self._warn(str(error))
            return reply
        return Reply(reply.code, reply.status, f"{reply.text}{'' if self._join else chr(10)}{footer}")

    def _value(self, name: str, client: Client) -> str:
        if name == "client_address":
            return client.address
        if name == "client_port":
            return str(client.port)
        if name == "localtime":
            return time.strftime("%b %d %H:%M:%S", time.localtime(self._clock.now()))
        if name == "server_name":
            return self._server
        self._warn(f'unknown macro name "{name}" in expansion request')
        return ""


def footers_of(settings: Settings, tables: TableContext, log: Log, clock: Clock) -> Footers:
    """Return the footers of a service.  ValueError: see ``Footers``."""
    hostname, censor = settings[model.MYHOSTNAME], Censor(settings[model.EXPANSION_FILTER])
    maps, warn = settings[p.REJECT_FOOTER_MAPS], partial(log.warning, "smtpd")
    return Footers(
        p.REJECT_FOOTER_MAPS.name,
        Maps(maps, tables),
        settings[p.REJECT_FOOTER],
        lambda template: Footer(template, hostname, clock, censor, warn),
        warn,
    )
