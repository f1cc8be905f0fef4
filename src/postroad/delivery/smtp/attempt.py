"""One delivery attempt: the hosts of a next hop in turn, until every recipient has its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from postroad.delivery.smtp import params as p
from postroad.delivery.smtp.connection import Connection
from postroad.delivery.smtp.context import (
    FALLBACK_PROBLEM,
    HOST_SKIPPED,
    NO_CONNECTION,
    UNEXPECTED,
    ClientContext,
)
from postroad.delivery.smtp.dial import Dialer
from postroad.delivery.smtp.lane import Lane
from postroad.delivery.smtp.parcel import Carrier, Parcel
from postroad.delivery.smtp.security import Bond
from postroad.model.outcome import Outcome
from postroad.net.mailhosts import Host, NoHosts
from postroad.proto.client_values import Peer

Hosts = Callable[[str], Awaitable[Sequence[Host]]]
UNAVAILABLE = "server unavailable or unable to receive mail"


class Attempt:
    """Brings a parcel to its end.

    ``then(attempt)`` is called once; ``elsewhere`` is set when best_mx_transport is to deliver.
    """

    __slots__ = (
        "_complete",
        "_context",
        "_dialer",
        "_hosts",
        "_looped",
        "_suspect",
        "_then",
        "_tried",
        "_why",
        "elsewhere",
        "lane",
        "left",
        "parcel",
        "site_failure",
    )

    def __init__(self, context: ClientContext, lane: Lane, parcel: Parcel, hosts: Hosts, dialer: Dialer, then: Callable[[Attempt], None]) -> None:  # fmt: skip  # noqa: E501
        self._context = context
        self._hosts = hosts
        self._dialer = dialer
        self._then = then
        self._why: Outcome | None = None
        self._complete = False  # some host has been through a whole session with us
        self._tried: tuple[str, int] | None = None  # where a kept connection has carried the parcel to
        self._looped = False
        self._suspect: Outcome | None = None  # the last session's failure of the site
        self.lane = lane
        self.parcel = parcel
        self.left: list[int] = list(range(len(parcel.job.recipients)))
        self.site_failure: Outcome | None = None
        self.elsewhere = ""

    def after(self, carrier: Carrier) -> None:
        """Go on where a kept connection has left some recipients: with other hosts, if there are any.

        The outcomes that the recipients have now stand unless another host has something to say.
        """
        parcel = self.parcel
        parcel.settle()
        self.left = parcel.soft(bounces_too=self._context.soft_bounce)
        self._tried = (carrier.peer.address, carrier.peer.port)
        self._complete = parcel.site_failure is None
        self._suspect = parcel.site_failure
        self._note_kept(parcel)

    async def run(self) -> None:
        """Try; then tell ``then``.  Whatever happens, no recipient is left without an outcome."""
        try:
            await self._try_all()
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose or bounce mail
            self._context.emit(UNEXPECTED, self.parcel.message.id, error)
            self._why = Outcome("4.3.0", "internal error of the mail system")
        if self.left and not self.elsewhere:
            self._give_up()
        self._then(self)

    # --- hosts

    async def _try_all(self) -> None:
        nexthop = self.parcel.job.nexthop
        if self._context.program == "lmtp":
            if nexthop.startswith("unix:"):
                path = nexthop[5:]
                peer = Peer(self._context.manners.hostname, path, nexthop=path)
                self.lane.alternatives = False
                await self._host(peer, None, final=True)
                return
            nexthop = nexthop.removeprefix("inet:")
        fallback = self._context.client[p.FALLBACK_RELAY]
        destinations = [nexthop, *fallback]
        for number, destination in enumerate(destinations):
            hosts = await self._look_up(destination, is_fallback=number > 0)
            if number == 0:
                self.lane.alternatives = bool(fallback) or len(hosts) > 1
            if hosts:
                await self._try_hosts(hosts, destination, last=destination is destinations[-1])
            if not self.left or self._looped:
                return  # behind a loop, a further host would only make it longer

    async def _look_up(self, destination: str, *, is_fallback: bool) -> Sequence[Host]:
        try:
            return await self._hosts(destination)
        except NoHosts as error:
            status = error.status
            if is_fallback and status.startswith("5"):
                self._context.emit(FALLBACK_PROBLEM, self._context.program)
                status = "4.3.5"
            self._looped = error.loop
            if error.transport and self._context.passes_on and len(self.left) == len(self.parcel.recipients):
                self.elsewhere = error.transport
            elif error.transport:
                status = f"4{status[1:]}"
            self._why = Outcome(status, error.text)
            return ()

    async def _try_hosts(self, hosts: Sequence[Host], destination: str, *, last: bool) -> None:
        limit = self._context.client[p.MX_SESSION_LIMIT]
        sessions: dict[int, int] = {}  # by site
        best: dict[int, int] = {}
        for host in hosts:
            best.setdefault(host.site, host.preference)
            if (host.address, host.port) == self._tried:
                sessions[host.site] = 1
        untried = [host for host in hosts if (host.address, host.port) != self._tried]
        for number, host in enumerate(untried):
            site = host.site
            if not self.left or (limit and sessions.get(site, 0) >= limit):
                continue
            others = untried[number + 1 :]
            exhausts = limit and sessions.get(site, 0) + 1 >= limit
            more = any(not exhausts or other.site != site for other in others)
            peer = Peer(host.name, host.address, host.port, host.preference == best[site], destination)
            if await self._host(peer, host, final=last and not more, alone=last and not others):
                sessions[site] = sessions.get(site, 0) + 1

    async def _host(self, peer: Peer, host: Host | None, *, final: bool, alone: bool = True) -> bool:
        """Try one host; whether there was a session.  ``alone``: none is left if the handshake fails."""
        connection = await self._connect(peer, host)
        if connection is None:
            return False
        failure = connection.session.failure
        if failure is not None:
            # A host that cannot shake hands, where it need not, must not slow its site down: the next
            # attempt may go without.
            harmless = connection.link is not None and connection.link.may_be_plain
            self._all_failed(failure, final=alone, blame=not harmless)
            return False
        parcel = await self._carry(connection)
        if self._plain_after_all(connection):
            parcel = await self._carry_plainly(peer, parcel)
        keep = set() if final else set(parcel.soft(bounces_too=self._context.soft_bounce))
        parcel.settle()
        self.left = [place for place in self.left if place in keep]
        self._why = None  # those that are left have outcomes, unless a later failure is the reason
        self._suspect = parcel.site_failure
        if keep:
            self._note_kept(parcel)
        if self._suspect is None:
            self._complete = True
        elif final:
            self._blame(self._suspect)
        return True

    async def _connect(self, peer: Peer, host: Host | None) -> Connection | None:
        """Return a connection whose handshake has ended, None when there is none (``_why``)."""
        security = self._context.security
        bond: Bond | None = None
        if security is not None:
            agreed = await security.agree(peer, host, self.parcel.message.sender)
            if isinstance(agreed, Outcome):
                self._why = agreed
                return None
            bond = agreed
        connection = await self._dialer.connect(peer, self.lane, bond)
        if isinstance(connection, Connection) and self._plain_after_all(connection):
            failure = connection.session.failure
            self._context.emit(HOST_SKIPPED, self.parcel.message.id, failure.text if failure else "")
            connection = await self._dialer.connect(peer, self.lane)
        if isinstance(connection, Outcome):
            self._why = connection
            self._context.emit(NO_CONNECTION, connection.text)
            return None
        return connection

    def _plain_after_all(self, connection: Connection) -> bool:
        """Whether mail for which TLS is welcome, not required, goes without, since it has failed.

        As with Postfix, not at once: the mail has been deferred for that before.
        """
        if connection.link is None or not connection.link.may_be_plain:
            return False
        message, attempt = self.parcel.message, self.parcel.job.attempt
        now = attempt.wall if attempt is not None else self._context.clock.now()
        return now - message.arrival >= self._context.plain_after

    async def _carry(self, connection: Connection) -> Parcel:
        done: asyncio.Future[None] = self._context.loop.create_future()

        def then(_: Parcel, __: Carrier) -> None:
            if not done.done():
                done.set_result(None)

        old = self.parcel
        parcel = Parcel(old.job, old.report, old.begun, then, list(self.left))
        connection.begin(parcel)
        await done
        return parcel

    async def _carry_plainly(self, peer: Peer, parcel: Parcel) -> Parcel:
        """Try the same host without TLS, with those that it has not taken; returns what became of them."""
        parcel.settle()
        soft = set(parcel.soft(bounces_too=self._context.soft_bounce))
        left = [place for place in self.left if place in soft]
        if not left:
            return parcel
        self._note_kept(parcel)
        connection = await self._dialer.connect(peer, self.lane)
        if isinstance(connection, Outcome) or connection.session.failure is not None:
            return parcel
        self.left = left
        return await self._carry(connection)

    # --- failures

    def _all_failed(self, outcome: Outcome, *, final: bool, blame: bool = True) -> None:
        """The host as a whole did not want to talk to us."""
        self._why = outcome
        soft = outcome.status[0] == "4" or self._context.soft_bounce
        if soft and not final:
            self._context.emit(HOST_SKIPPED, self.parcel.message.id, outcome.text)
            return
        if blame:
            self._blame(outcome)
        self._set_rest(outcome)

    def _give_up(self) -> None:
        """No host is left.  The last failure is the reason, unless a session has given one to each."""
        outcomes = self.parcel.job.outcomes
        if self._why is None and all(outcomes[place] is not None for place in self.left):
            if self._suspect is not None:
                self._blame(self._suspect)
            return
        why = self._why or Outcome("4.3.0", UNAVAILABLE)
        self._blame(why)
        self._set_rest(why)

    def _set_rest(self, outcome: Outcome) -> None:
        outcome.setup = self._context.clock.steady() - self.parcel.begun
        for place in self.left:
            self.parcel.job.outcomes[place] = outcome
        self.left = []

    def _blame(self, outcome: Outcome) -> None:
        """Note a failure of the site, unless a host of it has talked to us after all."""
        if not self._complete and outcome.status[0] == "4":
            self.site_failure = outcome

    def _note_kept(self, parcel: Parcel) -> None:
        """Say why another host is tried: once for each reason."""
        kinds = "45" if self._context.soft_bounce else "4"
        reasons = {o.text: None for o in parcel.outcomes if o is not None and o.status[0] in kinds}
        for text in reasons:
            self._context.emit(HOST_SKIPPED, parcel.message.id, text)
