"""The reply to what a list in the DNS names: default_rbl_reply, rbl_reply_maps."""

from __future__ import annotations

import re

from postroad.base.censor import Censor
from postroad.base.expand import Expander, ExpansionError
from postroad.model.facts import facts_of
from postroad.model.params import EXPANSION_FILTER
from postroad.model.reply import Reply
from postroad.policy.action import fitted
from postroad.policy.dnslist import DnsList, Listing
from postroad.policy.params import (
    DEFAULT_RBL_REPLY,
    MAPS_RBL_REJECT_CODE,
    RBL_REPLY_MAPS,
)
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.tables.maps import Maps

_ANSWER = re.compile(r"([45][0-9][0-9]) (?:([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|\Z))?(.*)", re.DOTALL)


class ListReplies:
    """Makes replies from the templates.  ValueError for a table that cannot be opened."""

    __slots__ = ("_censor", "_code", "_default", "_log", "_maps")

    def __init__(self, services: Services) -> None:
        settings = services.settings
        specs = settings[RBL_REPLY_MAPS]
        self._maps = Maps(specs, services.tables)
        self._default = settings[DEFAULT_RBL_REPLY]
        self._code = str(settings[MAPS_RBL_REJECT_CODE])
        self._censor = Censor(settings[EXPANSION_FILTER])
        self._log = services.log

    async def reply(self, query: Query, source: DnsList, listing: Listing, what: str, kind: str) -> Reply:
        """Return the refusal of ``what``.  TableUnavailable when rbl_reply_maps could not be asked."""
        values = {
            "rbl_code": self._code,
            "rbl_domain": source.domain,
            "rbl_reason": listing.reason,
            "rbl_txt": listing.reason,
            "rbl_what": what,
            "rbl_class": kind,
            **facts_of(query.session, query.recipient or None),
        }
        template = await self._maps.find(source.text) if self._maps else None
        text = None
        if template is not None:
            text = self._expanded(template, values)
            if text is None:
                self._warn(f"bad rbl reply template for domain {source.domain}: {template}")
        if text is None:
            text = self._expanded(self._default, values) or ""
        found = _ANSWER.fullmatch(text)
        if found is None:
            self._warn(f"rbl response code configuration error: {text}")
            return Reply(450, "4.7.1", "Service unavailable")
        status = fitted(found[2], kind) if found[2] else "4.7.1"
        return Reply(int(found[1]), status, found[3] or "Service unavailable")

    def _expanded(self, template: str, values: dict[str, str]) -> str | None:
        """Fill the template in; None when it is malformed, or names what there is not."""
        unknown: list[str] = []

        def value(name: str) -> str:
            if name not in values:
                unknown.append(name)
            # what a stranger said is text, never a template
            return self._censor.censored(values.get(name, "")).replace("$", "$$")

        try:
            text = Expander(value).expand(template)
        except ExpansionError:
            return None
        if unknown:
            self._warn(f'unknown macro name "{unknown[0]}" in expansion request')
            return None
        return text

    def _warn(self, text: str) -> None:
        self._log.warning("smtpd", text)
