"""One client under test: from its connection to its end, or to its session with smtpd."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, cast

from postroad.base.digits import significant
from postroad.base.tasks import start
from postroad.listener import screen_events as events
from postroad.listener.early import EarlyTests
from postroad.listener.judge import judge
from postroad.listener.passed import PassedTransport
from postroad.listener.stage import Stage
from postroad.listener.talk import Talk
from postroad.model.reply import Reply
from postroad.proto import proxy
from postroad.proto.escape import escaped
from postroad.proto.screening import Progress, Test

if TYPE_CHECKING:
    from postroad.listener.postscreen import Postscreen

#: Bytes of a bad header that the log has.
_SHOWN = 100
#: Seconds that a client has for reading the last reply.
_FAREWELL = 10.0
_UNAVAILABLE = "Service currently unavailable"


class Screening(asyncio.Protocol):
    """The asyncio protocol of a client under test.  It holds little: there may be very many."""

    __slots__ = (
        "_early", "_eof", "_service", "_talk", "_tests", "_transport", "address", "barred", "began",
        "counted", "deadline", "own", "port", "progress", "refusal", "spoke", "stage", "tested",
    )  # fmt: skip

    def __init__(self, service: Postscreen) -> None:
        self._service = service
        self.deadline = inf
        self.stage = Stage.PROXY
        self._transport: asyncio.Transport | None = None
        self._early = b""  # what came before anybody wanted it
        self._eof = False  # it came before it was known who the client is
        self._tests: EarlyTests | None = None
        self._talk: Talk | None = None
        self.began = 0.0  # the present tests, on the loop's clock
        self.address, self.port = "", 0
        self.own: tuple[str, int] = ("", 0)
        self.counted = self.tested = False  # among its address's, among those under test
        self.progress: Progress | None = None
        #: Whether the client gets no further, however the tests end.
        self.barred = False
        #: Whether it spoke before its turn.
        self.spoke = False
        #: What it is told at RCPT; None: come again.
        self.refusal: Reply | None = None

    @property
    def place(self) -> str:
        """Return ``[address]:port``, as the log has it."""
        return f"[{self.address}]:{self.port}"

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here, or a proxy that has one."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport = transport
        self.address, self.port = _place(transport.get_extra_info("peername"))
        self.own = _place(transport.get_extra_info("sockname"))
        service = self._service
        service.enter(self)
        if service.stopping:
            self.finish(Reply(421, "4.3.2", _UNAVAILABLE))
        elif service.proxy_timeout:
            self.deadline = service.loop.time() + service.proxy_timeout
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.stage is Stage.LATE and self._talk is not None:
            self._talk.receive(data)
        elif self.stage is not Stage.OVER:
            self._early += data
            if self.stage is Stage.PROXY:
                self._read_header()
                return
            if self._transport is not None and not self._transport.is_closing():
                self._transport.pause_reading()  # what nobody looks at yet must not grow
            if self.stage is Stage.EARLY and self._tests is not None:
                self._tests.spoken(self._early)

    def eof_received(self) -> bool:
        """The client sends no more."""
        if self.stage is Stage.JUDGED:  # smtpd answers what it has sent, if it passes
            self._eof = True
            return True
        self.hang_up()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        del exc
        self.hang_up()
        self._transport = None
        self._service.leave(self)

    def expired(self) -> None:
        """The deadline is over: a wait, or the client's time."""
        if self.stage is Stage.LATE and self._talk is not None:
            self._talk.expire()
        elif self.stage is Stage.PROXY:
            self._no_header("timeout error")
        elif self._transport is not None:
            self._transport.abort()

    # -- a proxy in front

    def _read_header(self) -> None:
        try:
            found = proxy.parse(self._early)
        except proxy.ProxyError as error:
            self._no_header(f"{error}: {escaped(self._early[:_SHOWN])}")
            return
        if found is None:  # there is a limit to what parse waits for
            return
        self._early = self._early[found.size :]
        if not found.local:
            self.address, self.port = found.client_address, found.client_port
            self.own = found.server_address, found.server_port
        self.deadline = inf
        if self._early and self._transport is not None:
            self._transport.pause_reading()
        self._begin()

    def _no_header(self, why: str) -> None:
        """Nobody knows whose the connection is: nothing is done for it."""
        self._service.log.emit(events.NO_HEADER, why)
        self.stage = Stage.OVER
        if self._transport is not None:
            self._transport.abort()

    # -- who is it?

    def _begin(self) -> None:
        self.stage = Stage.JUDGED
        service = self._service
        service.log.emit(events.CONNECT, self.address, self.port, *self.own)
        refusal = service.crowd.crowded(self)
        if refusal is not None:
            self.finish(refusal)
            return
        start(judge(self, self._service), self._judged)

    def _judged(self, refusal: Reply | None, error: BaseException | None) -> None:
        service = self._service
        if self._transport is None or self.stage is not Stage.JUDGED:  # it left meanwhile
            return
        if error is not None:
            service.log.error("postscreen", f"{self.place}: {error!r}")
            refusal = Reply(421, "4.3.2", "No system resources")
        elif refusal is None and self.progress is not None:
            refusal = service.crowd.busy(self)
        if refusal is not None:
            self.finish(refusal)
        elif self.progress is None:
            self._pass_on()
        elif self.progress.todo & Test.EARLY:
            self._test_early(self.progress)
        else:
            self.decide(self.progress)

    # -- the tests before the greeting

    def _test_early(self, progress: Progress) -> None:
        self.stage = Stage.EARLY
        self.began = self._service.loop.time()
        self._tests = EarlyTests(self, self._service, progress)
        self._tests.begin()
        if self._early:
            self._tests.spoken(self._early)
        elif self._eof:
            self.hang_up()

    def bar(self, refusal: Reply) -> None:
        """Let the client get no further; the refusal is what it is told at RCPT."""
        self.barred = True
        self.refusal = refusal

    # -- what becomes of it

    def decide(self, progress: Progress) -> None:
        """Talk with the client, or let smtpd do it."""
        self._tests = None  # it would keep this alive until the collector comes
        if not self.barred and not progress.pending & Test.LATE:
            self._conclude()
            self._pass_on()
            return
        self.stage = Stage.LATE
        self.began = self._service.loop.time()
        start(self._service.told.hidden_from(self.address), self._greet)

    def _greet(self, without: frozenset[str] | None, error: BaseException | None) -> None:
        transport, progress = self._transport, self.progress
        if transport is None or progress is None or self.stage is not Stage.LATE:
            return
        if error is not None:
            self._service.log.error("postscreen", f"{self.place}: {error!r}")
        self._talk = Talk(self, self._service, transport, progress, without or frozenset())
        early, self._early = self._early, b""
        if not transport.is_closing():
            transport.resume_reading()
        self._talk.begin(early)
        if self._eof:
            self.hang_up()

    def _conclude(self) -> None:
        """Keep what was passed, and say so."""
        progress, service = self.progress, self._service
        if progress is None:
            return
        if progress.complete:
            service.log.emit(events.PASS, "NEW" if progress.fresh else "OLD", self.address, self.port)
        record = progress.record(service.rules.terms)
        if record is not None:
            service.kept.note(self.address, record)

    def _pass_on(self) -> None:
        """Give the client its session: everything that it has sent goes with it."""
        transport, early = self._transport, self._early
        self._transport, self._early, self.stage = None, b"", Stage.OVER
        if transport is None:
            return
        service = self._service
        following = service.target.protocol()
        transport.set_protocol(following)
        known = (self.address, self.port), self.own
        passed = PassedTransport(transport, *known) if service.proxy_timeout else transport
        following.connection_made(cast("asyncio.Transport", passed))
        service.leave(self)
        if early:
            if not transport.is_closing():
                transport.resume_reading()  # the session pauses it again, if need be
            following.data_received(early)
        if self._eof and not following.eof_received():
            transport.close()

    def finish(self, reply: Reply | None = None) -> None:
        """End the connection, behind a last reply if there is one."""
        if reply is not None and self.stage is not Stage.OVER:
            data = bytes(self._service.told.footed(reply, self.address, self.port))
            if self._talk is not None:
                self._talk.write(data)
            else:
                self.write(data)
        self.over()

    def over(self) -> None:
        """The last word is said: keep what was passed, close."""
        if self.stage is Stage.OVER:
            return
        self._conclude()
        self._service.log.emit(events.DISCONNECT, self.address, self.port)
        self.stage = Stage.OVER
        self.deadline = self._service.loop.time() + _FAREWELL
        self._early = b""
        self._tests = None
        if self._talk is not None:
            self._talk.close()
        elif self._transport is not None:
            self._transport.close()

    def hang_up(self) -> None:
        """The client has gone before its time."""
        if self.stage is Stage.OVER:
            return
        if self.stage in (Stage.EARLY, Stage.LATE):
            late = self.stage is Stage.LATE
            if self._talk is not None:
                self._talk.lost()
            elapsed = significant(self._service.loop.time() - self.began, self._service.rules.digits)
            where = f"tests {'after' if late else 'before'} SMTP handshake"
            self._service.log.emit(events.HANGUP, elapsed, self.address, self.port, where)
        self.over()

    def write(self, data: bytes) -> None:
        """Say something before there is a dialogue."""
        if self._transport is not None:
            self._transport.write(data)


def _place(name: tuple[str, int] | None) -> tuple[str, int]:
    """Return an address and a port; an IPv4 address that came by an IPv6 socket is one."""
    if not name:
        return "unknown", 0
    address = name[0]
    plain = address.removeprefix("::ffff:").partition("%")[0] if ":" in address else address
    return plain, name[1]
