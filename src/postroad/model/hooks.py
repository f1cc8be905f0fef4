"""What a hook is told and what it may answer: ``check_python module:function``.

A hook is a function of yours that takes ``Facts`` and returns a verdict::

    from postroad.hooks import Continue, Facts, Reject

    async def no_invoices(facts: Facts) -> Continue | Reject:
        if facts.sender and facts.sender.startswith("invoice@"):
            return Reject("We take no invoices")
        return Continue()

Nothing here changes while the server runs: facts are frozen, verdicts too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from postroad.model.tls import TlsFacts

#: The command that is decided on.
Stage = Literal["CONNECT", "HELO", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN"]

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFacts:
    """Who is at the other end.

    ``name`` is confirmed by the DNS in both directions, ``reverse_name`` only said by the address's
    owner; both are ``unknown`` where there is none.
    """

    address: str
    port: int
    name: str
    reverse_name: str
    server_address: str
    server_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFacts:
    """Who has logged in, by which SASL mechanism; ``sender`` is what AUTH= in MAIL FROM said."""

    username: str
    method: str
    sender: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a hook is asked.

    ``sender`` is None before MAIL FROM and "" for the null sender.  ``recipient`` is the one that is
    asked about; at DATA and END-OF-MESSAGE it is "" unless there is only one, and ``recipients`` has
    all that were accepted.  ``size`` is what the client has announced (0: nothing), at END-OF-MESSAGE
    what has come.  ``queue_id`` is "" while the message has none.  ``etrn_domain`` is ETRN's argument.
    """

    stage: Stage
    protocol: str
    client: ClientFacts
    helo: str = ""
    sender: str | None = None
    recipient: str = ""
    recipients: tuple[str, ...] = ()
    size: int = 0
    login: LoginFacts | None = None
    tls: TlsFacts | None = None
    queue_id: str = ""
    etrn_domain: str = ""


@dataclass(frozen=True, slots=True)
class Continue:
    """Nothing against it; the next restriction is asked (DUNNO)."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes: the rest of the list is not asked (OK)."""


@dataclass(frozen=True, slots=True)
class Reject:
    """No, for good.  ValueError for a code that is not 5xx."""

    text: str = "Access denied"
    code: int = 554
    status: str = "5.7.1"

    def __post_init__(self) -> None:
        _check(self.code, self.status, 500)


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now.  ValueError for a code that is not 4xx."""

    text: str = "Try again later"
    code: int = 450
    status: str = "4.7.1"

    def __post_init__(self) -> None:
        _check(self.code, self.status, 400)


Accept = Permit

#: A string is an action as in an access table (access(5)): ``PREPEND X-Seen: yes``, ``HOLD`` ...
HookVerdict: TypeAlias = Continue | Permit | Reject | Defer | str

Hook: TypeAlias = Callable[[Facts], HookVerdict | Awaitable[HookVerdict]]


def _check(code: int, status: str, low: int) -> None:
    if not low <= code <= low + 99:
        raise ValueError(f"the code {code} is not between {low} and {low + 99}")
    if _STATUS.fullmatch(status) is None:
        raise ValueError(f"{status!r} is not an enhanced status code")
