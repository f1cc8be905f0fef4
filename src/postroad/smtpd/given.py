"""What a service is given: the means of its process, and the stages and services that it calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from postroad.base.clock import Clock
from postroad.base.log import Log
from postroad.base.wheel import Wheel
from postroad.model.client import Client
from postroad.model.explain import Refusal
from postroad.model.ports import Authenticator, Filters, Intake, LocalFilters, Policy
from postroad.model.reply import Reply
from postroad.net.tls.server import ServerTls
from postroad.smtpd.tally import Counters
from postroad.tables.context import TableContext

Identify = Callable[[Client], Awaitable[None]]
Etrn = Callable[[str], Awaitable[Reply | None]]
#: What a policy may be asked on the way to a message; one that has no ``stages`` is asked at all of them.
_STAGES = frozenset({"connect", "helo", "mail", "recipient", "data", "end_of_data"})


def _anything_fits(size: int) -> bool:
    """The answer of a service that was not told whom to ask for room."""
    del size
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the services of a process share."""

    log: Log
    clock: Clock
    wheel: Wheel
    loop: asyncio.AbstractEventLoop
    tables: TableContext
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Whom a service asks, and who gets its mail.

    ``policy`` None lets everything pass.  ``identify`` fills in a client's name.  ``has_space`` says whether
    there is room for a message of so many bytes.  ``tls`` has the certificates, ``authenticator`` knows
    users.  ``local_filters`` are those of mail that comes without SMTP.  ``note_refusal`` keeps why clients
    were refused.
    """

    intake: Intake
    policy: Policy | None = None
    identify: Identify | None = None
    has_space: Callable[[int], bool] = _anything_fits
    etrn: Etrn | None = None
    tls: ServerTls | None = None
    authenticator: Authenticator | None = None
    filters: Filters | None = None
    local_filters: LocalFilters | None = None
    note_refusal: Callable[[Refusal], None] | None = None

    @property
    def stages(self) -> frozenset[str]:
        """Return at which stages the policy can have anything to say: its own ``stages``, if it has them."""
        return getattr(self.policy, "stages", _STAGES) if self.policy is not None else frozenset()
