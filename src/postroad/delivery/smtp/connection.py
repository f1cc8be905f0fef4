"""One connection to a server: moves bytes between the socket and the conversation, and minds the time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from postroad.base import tasks
from postroad.base.errors import StoreUnavailable
from postroad.delivery.smtp.context import DISCARDING, LONG_LINE, UNEXPECTED, ClientContext
from postroad.delivery.smtp.lane import Lane
from postroad.delivery.smtp.parcel import Parcel
from postroad.delivery.smtp.security import Bond
from postroad.delivery.smtp.starttls import OFFERED, SecureLink
from postroad.mail.downgrade import Downgrade
from postroad.model.message import Text
from postroad.model.outcome import Outcome
from postroad.net.tls.errors import TlsError
from postroad.net.tls.transport import TlsTransport
from postroad.proto.client import ClientSession
from postroad.proto.client_content import ContentEncoder, fits
from postroad.proto.client_stages import CLOSED, IDLE, QUIT, TLS, Event
from postroad.proto.client_values import Peer

_FOREVER = float("inf")
_PIECE = 65536
_HIGH_WATER = 262144
_TURN = 16  # pieces sent before other connections have their turn
# Enum members are slow to get at.
_WAIT, _CONTENT, _FINISHED = Event.WAIT, Event.CONTENT, Event.FINISHED


class Connection(asyncio.Protocol):
    """A connection, from the moment it is open.  ``then(self)`` is called once, when the handshake ends.

    ``session.failure`` says whether it can be used.  ``bond`` is what is asked of it, None for nothing;
    ``link`` sees to that.
    """

    __slots__ = (
        "_context",
        "_driving",
        "_encoder",
        "_paused",
        "_pieces",
        "_since",
        "_then",
        "_tls",
        "_transport",
        "_unsent",
        "deadline",
        "lane",
        "link",
        "lost",
        "peer",
        "session",
    )

    def __init__(self, context: ClientContext, peer: Peer, lane: Lane, then: Callable[[Connection], None], bond: Bond | None = None) -> None:  # fmt: skip  # noqa: E501
        self._context = context
        self._then: Callable[[Connection], None] | None = then
        self._transport: asyncio.Transport | None = None
        self._driving = False
        self._paused = False
        self._pieces: Iterator[bytes] | None = None
        self._encoder: ContentEncoder | None = None
        self._unsent = 0  # bytes in the transport when the deadline was last looked at
        self._since = 0.0
        self.deadline = _FOREVER
        self.lane = lane
        self.lost = False  # or closing: nothing more can be sent
        self.peer = peer
        self._tls: TlsTransport | None = None
        self.link = SecureLink(context, bond, peer) if bond is not None else None
        terms = bond.terms if bond is not None else None
        self.session = ClientSession(context.manners, peer, context.warn, lane.usual, terms)

    # --- the agent's side

    def usable(self, now: float) -> bool:
        """Whether one more message may be sent, by the limits of reuse; ``now`` on the steady clock."""
        context = self._context
        if self.lost or context.closing or now - self._since >= context.reuse_time:
            return False
        return not context.reuse_count or self.session.carried <= context.reuse_count

    def begin(self, parcel: Parcel) -> None:
        """Send a parcel; ``parcel.then`` is called when it is done."""
        self.lane.active += 1
        parcel.sent = self._context.clock.steady()
        if parcel.message.smtputf8 and not self.session.features.smtputf8:
            parcel.look_for_utf8()
        self.session.begin(parcel)
        if not self._driving:
            self._drive()

    def quit(self) -> None:
        """Say QUIT and close."""
        if self.lost:
            return
        self.session.quit()
        self._write(self.session.take())
        self.deadline = self._context.loop.time() + self._context.timeouts[QUIT]
        if self._context.skip_quit_response:
            self._close()

    # --- the loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open; the server speaks first."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._since = self._context.clock.steady()
        self._mind_time()
        self._context.wheel.join(self)
        if self.session.stage is TLS:
            self._event(Event.START_TLS)

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        if self._tls is not None:
            self._decrypt(self._tls, data)
            return
        self.session.feed(data)
        self._drive()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop gives it
        """The connection is gone, by the server's doing or ours."""
        self._context.wheel.leave(self)
        if self.link is not None:
            self.link.lost(self.session.stage, timed_out=False)
        self.lost = True
        self._event(self.session.fail())
        self._drive()

    def pause_writing(self) -> None:
        """The socket is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket has room again."""
        self._paused = False
        self._pump()

    def expired(self) -> None:
        """The deadline is over."""
        transport = self._transport
        assert transport is not None
        unsent = transport.get_write_buffer_size()
        session = self.session
        if self.lost or session.stage is QUIT:
            transport.abort()
        elif session.stage is IDLE:
            if self in self.lane.idle:
                self.lane.idle.remove(self)
            self.quit()
        elif unsent and unsent != self._unsent:
            self._unsent = unsent  # slow, but it moves
            self._mind_time()
        else:
            if self.link is not None:
                self.link.lost(session.stage, timed_out=True)
            self._event(session.fail(timed_out=True))
            self._drive()

    # --- TLS and the login

    def _decrypt(self, tls: TlsTransport, data: bytes) -> None:
        link, session = self.link, self.session
        assert link is not None
        if self.lost:
            return
        try:
            plain = tls.receive(data)
        except TlsError as error:
            event = link.broken(session, error)
            if event is None:
                self._abort()
            else:
                self._event(event)
            return
        if not link.shaken and tls.pipe.established:
            event = link.judged(session, early=bool(plain))
            if event is not None:
                self._event(event)
                return
        if plain:
            session.feed(plain)
        self._drive()
        if tls.pipe.closed:
            self._abort()  # it has said that it sends no more

    def _start_tls(self) -> None:
        link, transport = self.link, self._transport
        assert link is not None
        assert transport is not None
        try:
            self._tls = self._transport = link.start(transport)
        except TlsError as error:
            self._event(link.not_started(self.session, error))

    async def _log_in(self, link: SecureLink) -> None:
        try:
            event = await link.log_in(self.session)
        except Exception as error:  # noqa: BLE001 - a defect of ours: the mail must not wait for the time limit
            self._context.emit(UNEXPECTED, self.peer.relay, error)
            event = self.session.refuse(
                Outcome("4.3.0", "internal error of the mail system", self.peer.relay)
            )
        if not self.lost:
            if event is not None:
                self._event(event)
            self._drive()

    # --- the conversation

    def _drive(self) -> None:
        """Do what the session asks for until it waits, then send what it has to say."""
        session = self.session
        heard = session.heard
        self._driving = True
        try:
            while (event := session.next_event()) is not _WAIT:
                self._event(event)
        finally:
            self._driving = False
        data = session.take()
        if data:
            self._write(data)
        # Whole replies count: a byte now and then does not keep us here for ever.
        if data or heard != session.heard:
            self._mind_time()

    def _event(self, event: Event) -> None:
        if event is _CONTENT:
            self._send_content()
        elif event is _FINISHED:
            self._finished()
        elif event is Event.READY:
            self._ready()
        elif event is Event.REFUSED:
            self._refused()
        elif event is Event.START_TLS:
            self._start_tls()
        elif event is Event.LOGIN:
            assert self.link is not None
            tasks.spawn(self._log_in(self.link), f"login at {self.peer.relay}")
        else:
            self._abort()

    def _ready(self) -> None:
        if self._then is None:
            self._release()  # behind RSET
            return
        context, session, link = self._context, self.session, self.link
        if context.discarded and context.logs_discard:
            context.emit(DISCARDING, context.discarded)
        if link is not None:
            self.lane.policy = (self.peer.nexthop, self.peer.name, link.bond.asked)
            link.ready()
            if link.single:
                self._since = -_FOREVER  # too old to carry a second message
        self.lane.keep(allowed=link is None or not link.single)
        if context.notes_offer and session.features.starttls and (link is None or not link.bond.terms.tls):
            context.emit(OFFERED, self.peer.name)
        then, self._then = self._then, None
        then(self)

    def _refused(self) -> None:
        if self.link is not None:
            self.link.refused(self.session)
        if self.session.stage is CLOSED:
            self._abort()
        else:
            self.quit()
        then, self._then = self._then, None
        if then is not None:
            then(self)

    def _finished(self) -> None:
        session = self.session
        parcel = session.finished
        assert isinstance(parcel, Parcel)
        self._pieces = None
        lane = self.lane
        following = session.current is not None
        now = self._context.clock.steady()
        parcel.stamp(now, session.carried - following)
        lane.took(now - parcel.sent)
        if not following:
            lane.active -= 1
            if session.stage is IDLE:
                self._release()
            elif session.stage is CLOSED:
                self._abort()
            elif not lane.keeps:
                self.quit()
        parcel.then(parcel, self)

    def _release(self) -> None:
        """Take the next waiting message, wait for one, or take leave."""
        lane = self.lane
        context = self._context
        if not (lane.keeps and self.usable(context.clock.steady())):
            self.quit()
        elif lane.waiting:
            self.begin(lane.waiting.popleft())
        else:
            lane.idle.append(self)
            self.deadline = context.loop.time() + context.idle_limit

    # --- content

    def _send_content(self) -> None:
        session, context = self.session, self._context
        parcel = session.current
        assert isinstance(parcel, Parcel)
        content = parcel.job.content
        converts = parcel.message.eight_bit and not session.features.eight_bit
        data = content.data
        if data is None or (converts and context.manners.convert_8bit):
            self._encoder = ContentEncoder(context.line_limit)
            pieces = content.pieces(_PIECE)
            self._pieces = (
                Downgrade().convert(pieces) if converts and context.manners.convert_8bit else pieces
            )
            self._pump()
            return
        limit = context.line_limit
        end = b".\r\n"
        if not (isinstance(content, Text) and content.plain and (not limit or fits(data, limit))):
            encoder = self._encoder = ContentEncoder(limit)
            data = encoder.encode(data)
            end = encoder.finish()
            self._note_broken()
        waiting = self.lane.waiting
        if waiting and self.lane.keeps:
            now = context.clock.steady()
            if self.usable(now) and session.follow(waiting[0]):
                waiting.popleft().sent = now
        session.content_sent()
        self._write(b"".join((data, end, session.take())))

    def _pump(self) -> None:
        """Send content until the socket is full, or long enough to let others have their turn."""
        pieces, encoder, session = self._pieces, self._encoder, self.session
        if pieces is None or encoder is None or self.lost:
            return
        for _ in range(_TURN):
            if self._paused:
                return  # resume_writing goes on
            try:
                piece = next(pieces, None)
            except StoreUnavailable:
                text = f"local data error while talking to {self.peer.host}"
                self._event(session.abandon("4.3.0", text))
                return
            self._mind_time()
            if piece is None:
                self._pieces = None
                self._note_broken()
                session.content_sent()
                self._write(encoder.finish())
                self._mind_time()
                return
            self._write(encoder.encode(piece))
        self._context.loop.call_soon(self._pump)

    def _note_broken(self) -> None:
        dispatch = self.session.current
        if self._encoder is not None and self._encoder.broken and dispatch is not None:
            self._context.emit(LONG_LINE, dispatch.message.id, self._context.line_limit)

    # --- the socket

    def _write(self, data: bytes) -> None:
        if not self.lost and self._transport is not None:
            self._transport.write(data)

    def _mind_time(self) -> None:
        limit = self._context.timeouts.get(self.session.stage)
        if limit is not None:
            self.deadline = self._context.loop.time() + limit

    def _close(self) -> None:
        """Close when all is sent."""
        self.lost = True
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        """Close at once: what has not gone out yet must not go out any more."""
        self.lost = True
        if self in self.lane.idle:
            self.lane.idle.remove(self)
        if self._transport is not None:
            self._transport.abort()
