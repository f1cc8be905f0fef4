"""The dialogue with one client under test: bytes between its socket and the machine, TLS, the clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from postroad.base.errors import TableUnavailable
from postroad.listener import screen_events as events
from postroad.mail.address import to_external
from postroad.model.reply import Reply
from postroad.net.tls.errors import TlsError
from postroad.net.tls.transport import TlsTransport
from postroad.proto.escape import escaped
from postroad.proto.postscreen import Dialogue, Notice
from postroad.proto.screening import Progress, Test

if TYPE_CHECKING:
    from postroad.listener.postscreen import Postscreen
    from postroad.listener.screening import Screening


class Talk:
    """Drives a Dialogue for a Screening; is its Reporter."""

    __slots__ = ("_raw", "_screening", "_service", "_tls", "dialogue")

    def __init__(
        self,
        screening: Screening,
        service: Postscreen,
        transport: asyncio.Transport,
        progress: Progress,
        without: frozenset[str],
    ) -> None:
        self._screening = screening
        self._service = service
        self._raw = transport
        self._tls: TlsTransport | None = None
        self.dialogue = Dialogue(service.options, progress, self, refusal=screening.refusal, without=without)

    def begin(self, early: bytes) -> None:
        """Greet; a client that has not waited for that is answered at once."""
        if not self._screening.spoke:
            self._send(self._service.told.greeting)
        self._allow_time()
        if early:
            self.receive(early)

    def receive(self, data: bytes) -> None:
        """Take bytes that came."""
        tls = self._tls
        if tls is not None:
            shaken = tls.pipe.established
            try:
                data = tls.receive(data)
            except TlsError as error:
                self._service.log.emit(events.TLS_PROBLEM, str(error))
                self._screening.hang_up()
                return
            if not shaken and tls.pipe.established:
                self._shaken(tls)
            if tls.pipe.closed and not data:
                self._screening.hang_up()
                return
        if data:
            self._step(self.dialogue.feed(data))

    def write(self, data: bytes) -> None:
        """Say something; in the middle of a handshake nothing can be said."""
        if not self.dialogue.upgrading:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
        else:
            self._raw.write(data)

    def _step(self, lines: int) -> None:
        dialogue = self.dialogue
        if dialogue.out:
            self._send(b"".join(dialogue.out))
            dialogue.out.clear()
        if dialogue.closed:
            self._screening.over()
        elif dialogue.upgrading and self._tls is None:
            self._upgrade()
        elif lines:
            self._allow_time()

    def _allow_time(self) -> None:
        self._screening.deadline = self._service.loop.time() + self._service.command_time

    def expire(self) -> None:
        """The client has taken too long."""
        if self.dialogue.upgrading:
            self._screening.hang_up()
            return
        self.dialogue.expire()
        self._step(0)

    def lost(self) -> None:
        """The client has gone."""
        if self.dialogue.upgrading:
            screening, service = self._screening, self._service
            service.log.emit(events.TLS_FAILED, service.target_name, screening.address, screening.port)
            self.close()

    def close(self) -> None:
        """Nothing more is said.  What the collector would find late is let go of."""
        if self._tls is not None:
            self._service.log.emit(events.TLS_ENDS, self._screening.address, self._screening.port)
            self._tls.close()
            self._tls = None
        self._raw.close()

    # -- TLS

    def _upgrade(self) -> None:
        if self._service.tls is None:  # it cannot be: nobody was told to begin
            self._screening.over()
            return
        self._service.log.emit(events.TLS_BEGINS, self._screening.address, self._screening.port)
        self._tls = TlsTransport(self._raw, self._service.tls.accept())
        self._allow_time()

    def _shaken(self, tls: TlsTransport) -> None:
        screening, service = self._screening, self._service
        if service.tls_loglevel >= 1:
            facts = tls.pipe.facts()
            service.log.emit(
                events.TLS_ESTABLISHED, facts.trust, screening.address, screening.port, facts.describe()
            )
        self.dialogue.secured()
        self._allow_time()

    # -- the machine's Reporter

    def notice(self, what: Notice, *values: str) -> None:
        """Log it."""
        log, place = self._service.log, self._screening.place
        if what is Notice.WITHOUT_RCPT:
            log.emit(events.WITHOUT_RCPT, *values, place)
            return
        if what is Notice.PIPELINING:
            command, rest = values
            values = command[:_SHOWN], escaped(rest.encode("latin-1"))
        elif what is Notice.NON_SMTP:
            where, command, rest = values
            text = escaped(rest.encode("utf-8", "surrogateescape")[:_SHOWN])
            values = where, command[:_SHOWN], text[:_SHOWN]
        elif what is Notice.REFUSED:
            reply, sender, recipient, protocol, helo = values
            values = reply, _external(sender), _external(recipient), protocol, helo
        log.emit(events.NOTICES[what], place, *values)

    def until(self, test: Test) -> int:
        """Return until when a test counts that is passed now, or forgiven."""
        return self._service.until(test)

    def rewritten(self, line: str) -> str | None:
        """Return what postscreen_command_filter has in place of a line; None: it could not be asked."""
        service, screening = self._service, self._screening
        try:
            found = service.commands.rewritten(line)
        except TableUnavailable as error:
            service.log.emit(events.FILTER_FAILED, screening.place, error)
            return None
        if found is None:
            return line
        service.log.emit(events.REPLACED, screening.place, line[:_SHOWN], found[:_SHOWN])
        return found

    def footed(self, reply: Reply) -> Reply:
        """Return a refusal with the operator's footer."""
        screening = self._screening
        return self._service.told.footed(reply, screening.address, screening.port)


_SHOWN = 100


def _external(address: str) -> str:
    """Return an address as it stands in a command; "" for the null address."""
    return to_external(address) if address else ""
