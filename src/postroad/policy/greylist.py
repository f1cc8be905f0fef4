"""``greylist``: who sends from a network, from a sender and to a recipient for the first time comes again.

Programs that send junk often do not.  The memory is $data_directory/greylist.db, of all workers together.
While it cannot be read, mail waits (451), as with a policy server that does not answer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from postroad.base.errors import StoreUnavailable, TableUnavailable
from postroad.model.params import DATA_DIRECTORY
from postroad.policy.asking_params import (
    GREYLIST_AUTO_ALLOW,
    GREYLIST_DELAY,
    GREYLIST_EXPIRE,
    GREYLIST_LIMIT,
    GREYLIST_WINDOW,
)
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import Check, Verdict
from postroad.store.greylist import Terms, Triple, foresee, open_greylist

FILE: Final = "greylist.db"
_NUMBER = re.compile(r"\b[0-9]+\b")


def greylist(services: Services) -> Check:
    """``greylist``: not yet, to a client network, sender and recipient that did not come together before."""
    settings = services.settings
    terms = Terms(
        settings[GREYLIST_DELAY],
        settings[GREYLIST_WINDOW],
        settings[GREYLIST_EXPIRE],
        settings[GREYLIST_AUTO_ALLOW],
        settings[GREYLIST_LIMIT],
    )
    path = Path(settings[DATA_DIRECTORY]) / FILE
    memory = open_greylist(path)
    now = services.tables.clock.now
    imagined = services.recorder is not None

    async def ask(query: Query) -> Verdict:
        triple = triple_of(query)
        try:
            seconds = (
                foresee(path, triple, terms, now()) if imagined else await memory.ask(triple, terms, now())
            )
        except StoreUnavailable as error:
            raise TableUnavailable(f"greylist: {error}") from error
        if not seconds:
            return None
        # Put off, so that who would be refused for good hears that, and does not come again.
        return query.defer_if_permit(
            query.rejected(450, "4.2.0", f"Greylisted, try again in {seconds} seconds")
        )

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        return ask(query) if query.recipient else None

    return check


def triple_of(query: Query) -> Triple:
    """Return what is remembered of a question."""
    session = query.session
    return Triple(
        network_of(session.client.address),
        comparable(session.transaction.sender or ""),
        query.recipient.lower(),
    )


def network_of(address: str) -> str:
    """Return the /24 or /64 of an address: farms of senders try again from another of theirs."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def comparable(sender: str) -> str:
    """Return a sender without what changes with each message: ``+extension``, numbers (mailing lists)."""
    local, at, domain = sender.lower().rpartition("@")
    return _NUMBER.sub("#", local.partition("+")[0] or local) + at + domain
