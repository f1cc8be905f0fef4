"""One milter in one SMTP session: what it has decided so far, and what stands for it when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from postroad.base.log import Log
from postroad.base.wheel import Wheel
from postroad.filters.link import Link, dial
from postroad.filters.macros import Macros, Moment
from postroad.filters.spec import Fallback, MilterSpec
from postroad.model.filters import Body
from postroad.model.reply import Reply
from postroad.proto.milter import codec
from postroad.proto.milter.codec import MilterError
from postroad.proto.milter.edits import Edits, TooLarge
from postroad.proto.milter.machine import CLOSING, Decision, MilterMachine, Verdict
from postroad.proto.milter.options import Terms
from postroad.proto.milter.replies import MalformedReply

#: Bytes of a message's body in one packet, as libmilter has them.
_CHUNK: Final = 65535
_CONFIGURATION: Final = Reply(451, "4.3.5", "Server configuration problem - try again later")
_TOO_LARGE: Final = Reply(552, "5.3.4", "Message size exceeds fixed limit")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every milter of a service is given.  ``body_limit`` is message_size_limit, 0 for none."""

    log: Log
    wheel: Wheel
    loop: asyncio.AbstractEventLoop
    queue_directory: str
    body_limit: int
    macros: Macros


class Said(NamedTuple):
    """What a milter wants after an event: a refusal, the message held, or discarded."""

    reply: Reply | None = None
    hold: bool = False
    discard: bool = False


NOTHING: Final = Said()


class Filtered(NamedTuple):
    """What it wants of a whole message; ``edits`` are those of a milter that has finished, or None."""

    said: Said = NOTHING
    edits: Edits | None = None
    leading_space: bool = False


class _State(Enum):
    NEW = auto()
    TALKING = auto()
    ACCEPTED_MESSAGE = auto()  # no more of this message
    STANDING = auto()  # no more of this session; what it said, or what stands for it, goes on


@dataclass(slots=True)
class Milter:
    """One milter of one session.  ``program`` is whose name the log lines have."""

    spec: MilterSpec
    around: Surroundings
    _state: _State = _State.NEW
    _standing: Said = NOTHING
    _link: Link | None = None
    _machine: MilterMachine | None = None
    _open: bool = False  # the milter knows of a message that is not at its end
    _closed: bool = False
    _skipped: set[bytes] = field(default_factory=set)

    @property
    def _terms(self) -> Terms:
        assert self._machine is not None
        assert self._machine.terms is not None
        return self._machine.terms

    async def connect(self, program: str) -> Said:
        """Connect and agree on terms.  What follows from a failure is returned, now and at every event."""
        around = self.around
        # Without a limit for messages there still is one for what a milter puts into memory.
        machine = self._machine = MilterMachine(self.spec.offer, around.body_limit or 1 << 28)
        link = self._link = Link(machine, around.wheel, around.loop)
        reason = await dial(self.spec, link, around.loop, around.queue_directory)
        if self._closed:
            link.close()
            return NOTHING
        if reason:
            around.log.warning(program, f"connect to Milter service {self.spec.name}: {reason}")
            return self._stand(_said(self.spec.fallback))
        try:
            link.send(machine.begin())
            await link.ask(self.spec.connect_timeout)
        except MilterError as error:
            return self._fail(error, program)
        if self._terms.unusual:
            around.log.warning(program, f"milter {self.spec.name}: {self._terms.unusual}")
        self._state = _State.TALKING
        return NOTHING

    async def tell(self, event: bytes, data: bytes, moment: Moment, program: str) -> Said:
        """Tell it of an event of the session or of the envelope."""
        if event in (codec.HELO, codec.MAIL):
            self.abort()
        if self._state is not _State.TALKING:
            return self._settled()
        link, machine = self._link, self._machine
        assert link is not None
        assert machine is not None
        if moment.refusal is not None and not self._terms.rejected_recipients:
            return NOTHING
        self._open = self._open or event == codec.MAIL
        if not self._knows(event):
            return NOTHING
        await self._send_macros(event, moment)
        if not self._terms.wants(event) or event in self._skipped:
            return NOTHING
        link.send(machine.event(event, data))
        limit = self.spec.connect_timeout if event == codec.CONNECT else self.spec.command_timeout
        try:
            return await self._decide(event, limit)
        except MilterError as error:
            return self._fail(error, program)

    def _settled(self) -> Said:
        """Return what is said without asking it."""
        if self._state is _State.ACCEPTED_MESSAGE:
            return NOTHING
        if self._state is _State.NEW:  # never asked is not accepted
            self._stand(_said(self.spec.fallback))
        return self._standing

    def _knows(self, event: bytes) -> bool:
        version = self._terms.version
        return not ((event == codec.DATA and version < 4) or (event == codec.UNKNOWN and version < 3))

    async def _send_macros(self, event: bytes, moment: Moment) -> None:
        """Send the macros of an event, told or not: later ones may be judged by them."""
        macros = self.around.macros
        names = macros.names(event, self._terms.symbols)
        await macros.route(moment, names)
        if self._link is not None:
            self._link.send(codec.macros(event, macros.values(moment, names)))

    async def _decide(self, event: bytes, limit: float) -> Said:
        """Wait for the answer to an event, if there is one, and do what it says.  MilterError."""
        link, machine = self._link, self._machine
        assert machine is not None
        if not machine.awaited or link is None:
            return NOTHING
        decision = await link.ask(limit)
        said = self._obey(decision, event)
        return said._replace(hold=True) if machine.quarantined and not said.reply else said

    def _obey(self, decision: Decision, event: bytes) -> Said:
        verdict = decision.verdict
        whole_session = event in (codec.CONNECT, codec.HELO)
        if verdict is Verdict.SKIP:
            self._skipped.add(event)
        elif verdict is Verdict.ACCEPT:
            if whole_session:
                return self._stand(NOTHING)
            self._state = _State.ACCEPTED_MESSAGE
        elif verdict is Verdict.DISCARD:
            self._state = _State.ACCEPTED_MESSAGE
            return Said(discard=True)
        elif verdict is Verdict.SHUTDOWN:
            return self._stand(Said(CLOSING))
        elif verdict is Verdict.REFUSE:
            return self._stand(Said(decision.reply)) if whole_session else Said(decision.reply)
        return NOTHING

    def _stand(self, said: Said) -> Said:
        """Ask it no more in this session."""
        self._state = _State.STANDING
        self._standing = said
        link, self._link = self._link, None
        if link is not None:
            link.close(codec.packet(codec.QUIT))
        return said

    def _fail(self, error: MilterError, program: str) -> Said:
        """Note that it failed, and let its default action stand for it."""
        if self._closed:
            return NOTHING
        self.around.log.warning(program, f"milter {self.spec.name}: {error}")
        link, self._link = self._link, None
        if link is not None:
            link.close()
        if isinstance(error, MalformedReply):
            return self._stand(Said(_CONFIGURATION))
        said = self._stand(_said(self.spec.fallback))
        return Said(_TOO_LARGE) if isinstance(error, TooLarge) else said

    # -- the message

    async def message(self, header: Iterable[tuple[str, bytes]], body: Body, moment: Moment, program: str) -> Filtered:  # fmt: skip  # noqa: E501
        """Show it a message: fields as name and what stands behind the colon, then the body."""
        if self._state is not _State.TALKING:
            said = self._settled()
            self.abort()
            return Filtered(said)
        try:
            said = await self._message(header, body, moment)
        except MilterError as error:
            return Filtered(self._fail(error, program))
        assert self._machine is not None
        ended = self._state in (_State.TALKING, _State.ACCEPTED_MESSAGE) and not self._open
        edits = self._machine.edits if ended and not said.reply and not said.discard else None
        leading_space = self._terms.leading_space
        self.abort()
        return Filtered(said, edits, leading_space)

    async def _message(self, header: Iterable[tuple[str, bytes]], body: Body, moment: Moment) -> Said:
        """MilterError.  ``_open`` is False once it has judged the message as a whole."""
        said = await self._header(header, moment)
        if self._goes_on(said):
            said = _joined(said, await self._event(codec.END_OF_HEADER, moment))
        if self._goes_on(said):
            said = _joined(said, await self._body(body, moment))
        if self._goes_on(said):
            said = _joined(said, await self._event(codec.END, moment))
            self._open = False
        return said

    def _goes_on(self, said: Said) -> bool:
        return self._state is _State.TALKING and said.reply is None and not said.discard

    async def _header(self, header: Iterable[tuple[str, bytes]], moment: Moment) -> Said:
        link, machine, terms = self._link, self._machine, self._terms
        assert link is not None
        assert machine is not None
        if not terms.wants(codec.HEADER):
            return NOTHING
        await self._send_macros(codec.HEADER, moment)
        held = NOTHING
        for name, value in header:
            if codec.HEADER in self._skipped:
                break
            text = value if terms.leading_space else value.removeprefix(b" ")
            text = text.replace(b"\r\n", b"\n").replace(b"\0", b"")
            link.send(machine.event(codec.HEADER, codec.strings(name) + text + b"\0"))
            said = await self._decide(codec.HEADER, self.spec.content_timeout)
            held = _joined(held, said)
            if not self._goes_on(held):
                break
        return held

    async def _event(self, event: bytes, moment: Moment) -> Said:
        link, machine = self._link, self._machine
        assert link is not None
        assert machine is not None
        await self._send_macros(event, moment)
        if not self._terms.wants(event):
            return NOTHING
        link.send(machine.event(event))
        return await self._decide(event, self.spec.content_timeout)

    async def _body(self, body: Body, moment: Moment) -> Said:
        link, machine = self._link, self._machine
        assert link is not None
        assert machine is not None
        if not self._terms.wants(codec.BODY):
            return NOTHING
        await self._send_macros(codec.BODY, moment)
        held = NOTHING
        limit = self.spec.content_timeout
        for piece in body():
            view = memoryview(piece)
            for at in range(0, len(view), _CHUNK):
                chunk = view[at : at + _CHUNK]
                link.send(machine.part(codec.BODY, len(chunk)))
                await link.drain(chunk, limit)
                held = _joined(held, await self._decide(codec.BODY, limit))
                if not self._goes_on(held) or codec.BODY in self._skipped:
                    return held
        return held

    # -- the end

    def abort(self) -> None:
        """Forget the message, and make the milter forget it."""
        self._skipped.clear()
        if self._state is _State.ACCEPTED_MESSAGE:
            self._state = _State.TALKING
        if self._open and self._link is not None and self._machine is not None:
            self._link.write(self._machine.abort())
        self._open = False

    def close(self) -> None:
        """End the connection."""
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close(codec.packet(codec.QUIT))


def _said(fallback: Fallback) -> Said:
    return Said(fallback.reply, fallback.hold)


def _joined(before: Said, now: Said) -> Said:
    return Said(now.reply, before.hold or now.hold, now.discard)
