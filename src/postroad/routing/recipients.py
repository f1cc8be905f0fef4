"""Whether a recipient exists, as far as the tables tell: smtpd's check of unlisted addresses."""

from __future__ import annotations

import re
from typing import NamedTuple

from postroad.base.params import Param, Settings
from postroad.mail.rewrite import Rewriter
from postroad.model.params import (
    CANONICAL_MAPS,
    DOUBLE_BOUNCE_SENDER,
    LOCAL_RECIPIENT_MAPS,
    RECIPIENT_CANONICAL_MAPS,
    RELAY_RECIPIENT_MAPS,
    SENDER_CANONICAL_MAPS,
    VIRTUAL_ALIAS_MAPS,
    VIRTUAL_MAILBOX_MAPS,
)
from postroad.model.reply import Reply
from postroad.model.route import AddressClass
from postroad.routing.params import (
    SHOW_USER_UNKNOWN_TABLE_NAME,
    UNKNOWN_LOCAL_RECIPIENT_CODE,
    UNKNOWN_RELAY_RECIPIENT_CODE,
    UNKNOWN_VIRTUAL_ALIAS_CODE,
    UNKNOWN_VIRTUAL_MAILBOX_CODE,
)
from postroad.routing.router import Router
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)(.*)", re.DOTALL)
#: RFC 3463 3.2 speaks of recipients or of senders; a text for the one may have to be said of the other.
_SENDER = {"1": "1.7", "2": "1.8", "3": "1.7", "4": "1.7", "6": "1.7", "7": "1.7", "8": "1.8"}
_RECIPIENT = {"1": "1.1", "2": "1.2", "3": "1.3", "4": "1.4", "5": "1.5", "6": "1.6", "7": "1.3", "8": "1.2"}


class _Table(NamedTuple):
    """The list of the recipients of a class; no list means that all exist."""

    maps: Maps
    code: int
    text: str


class RecipientCheck:
    """Finds recipients, and senders, in domains of ours that are in no table."""

    def __init__(self, settings: Settings, context: TableContext, router: Router) -> None:
        self._router = router
        self._rewriter = Rewriter(settings)
        self._show = settings[SHOW_USER_UNKNOWN_TABLE_NAME]
        self._alias_code = settings[UNKNOWN_VIRTUAL_ALIAS_CODE]

        def maps(param: Param[tuple[str, ...]]) -> Maps:
            specs = settings[param]
            return Maps(specs, context, is_local=router.ours.matches_or_origin)

        rewriting = (RECIPIENT_CANONICAL_MAPS, SENDER_CANONICAL_MAPS, CANONICAL_MAPS, VIRTUAL_ALIAS_MAPS)
        recipient, sender, both, alias = (maps(param) for param in rewriting)
        self._known = [each for each in (recipient, both, alias) if each]
        self._known_senders = [each for each in (recipient, sender, both, alias) if each]
        self._tables = {
            AddressClass.LOCAL: _Table(
                maps(LOCAL_RECIPIENT_MAPS), settings[UNKNOWN_LOCAL_RECIPIENT_CODE], "local recipient"
            ),
            AddressClass.VIRTUAL_MAILBOX: _Table(
                maps(VIRTUAL_MAILBOX_MAPS), settings[UNKNOWN_VIRTUAL_MAILBOX_CODE], "virtual mailbox"
            ),
            AddressClass.RELAY: _Table(
                maps(RELAY_RECIPIENT_MAPS), settings[UNKNOWN_RELAY_RECIPIENT_CODE], "relay recipient"
            ),
        }
        # Ours to absorb or to answer, whatever the tables say (RFC 5321 4.5.1).
        self._always = frozenset({"postmaster", "mailer-daemon", settings[DOUBLE_BOUNCE_SENDER].lower()})

    def passes(self, address: str) -> bool:
        """Return whether ``refuse`` would let a recipient pass, when that is known without asking."""
        return not self._known and self._router.is_elsewhere(address)

    async def refuse(self, address: str, *, sender: bool = False) -> Reply | None:
        """Return the refusal of an address as the client gave it (internal form), None to let it pass.

        TableUnavailable when it could not look; the caller answers 451.
        """
        resolution = await self._router.resolve(self._rewriter.rewrite(address))
        route = resolution.route
        for maps in self._known_senders if sender else self._known:
            # What is replaced by something else exists.
            if await maps.find_address(route.recipient, self._router.extensions):
                return None
        if route.transport in ("error", "retry") and resolution.valid:
            code = 450 if route.transport == "retry" else 550
            if route.address_class is AddressClass.VIRTUAL_ALIAS:
                code = self._alias_code
            return _refusal(code, route.nexthop, address, sender=sender)
        table = self._tables.get(route.address_class)
        if table is None or not table.maps or not resolution.valid:
            return None
        if route.address_class is AddressClass.LOCAL and self._is_always(route.recipient):
            return None
        if await table.maps.find_address(route.recipient, self._router.extensions):
            return None
        where = f" in {table.text} table" if self._show else ""
        return _refusal(table.code, f"User unknown{where}", address, sender=sender)

    def _is_always(self, recipient: str) -> bool:
        return recipient.rpartition("@")[0].lower() in self._always


def _refusal(code: int, text: str, address: str, *, sender: bool) -> Reply:
    match = _STATUS.fullmatch(text)
    status, words = (match[1], match[2]) if match else ("", text)
    what = "Sender" if sender else "Recipient"
    return Reply(code, f"{code // 100}.{_detail(status, sender=sender)}", f"<{address}>: {what} address rejected: {words}")  # fmt: skip  # noqa: E501


def _detail(status: str, *, sender: bool) -> str:
    """Return the last two figures of a status, said of a sender or of a recipient."""
    if not status:
        return "1.0" if sender else "1.1"
    _, subject, detail = status.split(".")
    if subject != "1":
        return f"{subject}.{detail}"
    return (_SENDER if sender else _RECIPIENT).get(detail, "1.0")
