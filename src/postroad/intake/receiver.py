"""Takes the content of one message while it arrives, and sees it to the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from postroad.base import tasks
from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of
from postroad.intake.headers import BLOCK_LIMIT
from postroad.intake.judged import Judged, judge_message
from postroad.intake.refusal import BAD_CHARACTER, HEADER_TOO_BIG, WRITE_ERROR, RefusedError
from postroad.mail.header import block_end, is_complete
from postroad.model.message import Content, Message, Text
from postroad.model.ports import Judge
from postroad.model.queue import Spool
from postroad.model.reply import Reply
from postroad.model.session import Session

if TYPE_CHECKING:
    from postroad.intake.intake import Intake, Prepared


class Receiver:
    """One message on its way in; implements ``model.ports.Receiver``.

    Up to queue_inline_limit it is gathered in memory and handled as a whole by ``commit``.  A larger
    one is prepared as soon as that is known, and what comes then goes straight to the spool.
    """

    __slots__ = ("_arrival", "_intake", "_judge", "_pieces", "_prepared", "_refusal", "_session", "_size", "_spool", "_tail", "_then", "_waiting", "_wide", "_written")  # fmt: skip  # noqa: E501

    def __init__(self, intake: Intake, session: Session, arrival: float) -> None:
        self._intake = intake
        self._session = session
        self._arrival = arrival
        self._pieces: list[bytes] = []
        self._size = 0  # of the pieces that are kept in memory
        self._written = False  # the message is in the hands of the store, or given up
        self._waiting = False  # a table is being asked
        self._wide = False  # bytes above 127 went to the spool
        self._tail = b""
        self._spool: Spool | None = None
        self._prepared: Prepared | None = None
        self._refusal: Reply | None = None
        self._then: Callable[[Reply], None] | None = None
        self._judge: Judge | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece of content.  Never raises; what goes wrong is said by ``commit``."""
        if self._refusal is not None or self._written:
            return
        if self._spool is not None:
            self._spool_out(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._intake.inline_limit and not self._waiting:
            self._begin_spool()

    def commit(self, then: Callable[[Reply], None], judge: Judge | None = None) -> None:
        """Queue the message.  ``then`` gets 250 once it is synced, or why it was not queued.

        ``judge`` shows it to the mail filters first.
        """
        self._then = then
        self._judge = judge
        if not self._waiting:
            self._finish()

    def abort(self) -> None:
        """Forget the message.  Nothing happens once it was committed."""
        if self._then is None:
            self._give_up()

    def _give_up(self) -> None:
        self._written = True
        self._pieces.clear()
        if self._spool is not None:
            self._spool.abort()
            self._spool = None

    # --- small messages

    def _finish(self) -> None:
        """Everything has arrived."""
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif self._spool is not None:
            self._finish_spool()
        else:
            self._prepare(self._joined(last=True), self._finish_inline)

    def _joined(self, *, last: bool = False) -> bytes:
        pieces = self._pieces
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if last and content[-2:] != b"\r\n" and content:
            content += b"\r\n"  # BDAT may end anywhere; RFC 5321 2.3.8 wants a line's end
        return content

    def _finish_inline(self, prepared: Prepared, content: bytes) -> None:
        whole = prepared.front + (content[prepared.used :] if prepared.used else content)
        self._wide = not whole.isascii()
        plain = self._session.transaction.plain and not self._intake.stripped
        self._store(prepared, Text(whole, plain=plain))

    def _prepare(self, content: bytes, then: Callable[[Prepared, bytes], None]) -> None:
        """Clean a content that has its whole header; ``then`` gets it with the content it is for."""
        intake = self._intake
        try:
            content = self._cleaned(content)
            prepared = intake.prepare_now(self._session, content, self._arrival)
            if prepared is not None:
                then(prepared, content)
                return
        except Exception as error:  # noqa: BLE001 - answered 4xx or 5xx; none may become a loss
            self._fail(error)
            return
        self._waiting = True

        def done(result: Prepared | None, error: BaseException | None) -> None:
            self._waiting = False
            if self._written:
                return
            if result is None:
                self._fail(error)
                return
            try:
                then(result, content)
            except Exception as caught:  # noqa: BLE001 - as above
                self._fail(caught)

        tasks.start(intake.prepare(self._session, content, self._arrival), done)

    def _cleaned(self, data: bytes) -> bytes:
        intake = self._intake
        if intake.unwanted is not None and intake.unwanted(data):
            self._log_bad_character()
            raise RefusedError(BAD_CHARACTER)
        return data.translate(None, intake.stripped) if intake.stripped else data

    # --- large messages

    def _begin_spool(self) -> None:
        content = self._joined()
        if not is_complete(content, block_end(content)):
            if self._size > BLOCK_LIMIT:
                self._fail(RefusedError(HEADER_TOO_BIG))
            else:
                self._pieces = [content]
            return
        self._pieces = []
        self._prepare(content, self._open_spool)

    def _open_spool(self, prepared: Prepared, content: bytes) -> None:
        self._prepared = prepared
        self._spool = self._intake.store.spool(self._session.transaction.queue_key)
        self._wide = not prepared.front.isascii()
        self._spool.write(prepared.front)
        pieces, self._pieces = self._pieces, []
        self._size = 0
        # already cleaned, unlike what came while a table was asked
        self._write(content[prepared.used :])
        for piece in pieces:
            self._spool_out(piece)
        if self._then is not None:
            self._finish()

    def _spool_out(self, data: bytes) -> None:
        try:
            self._write(self._cleaned(data))
        except Exception as error:  # noqa: BLE001 - answered at the final dot
            self._fail(error)

    def _write(self, data: bytes) -> None:
        if self._spool is None or not data:
            return
        self._spool.write(data)
        self._wide = self._wide or not data.isascii()
        self._tail = (self._tail + data[-2:])[-2:]

    def _finish_spool(self) -> None:
        spool, prepared = self._spool, self._prepared
        assert spool is not None
        assert prepared is not None
        try:
            if self._tail != b"\r\n":
                spool.write(b"\r\n")
            content = spool.finish()
        except Exception as error:  # noqa: BLE001 - answered at the final dot
            self._fail(error)
            return
        self._store(prepared, content)

    # --- the end

    def _store(self, prepared: Prepared, content: Content) -> None:
        """Store the message, or show it to the filters before."""
        judge, self._judge = self._judge, None
        if judge is None:
            self._accept(prepared, content)
            return

        def done(judged: Judged | None, error: BaseException | None) -> None:
            if judged is None:
                self._fail(error)
                return
            self._spool, self._wide = judged.spool, judged.wide
            try:
                self._accept(prepared, judged.content)
            except Exception as caught:  # noqa: BLE001 - as above
                self._fail(caught)

        found = Judged(content, self._spool, wide=self._wide)
        tasks.start(judge_message(self._intake, self._session, prepared, found, judge), done)

    def _accept(self, prepared: Prepared, content: Content) -> None:
        message = self._intake.message(self._session, prepared, content, self._arrival)
        message.eight_bit = message.eight_bit or self._wide
        if "DISCARD" in self._session.transaction.actions:
            self._give_up()
            self._answer(_queued(message))
            return
        self._written = True
        self._spool = None
        self._pieces.clear()

        def stored(error: BaseException | None) -> None:
            if error is None:
                self._accepted(message, prepared)
            else:
                self._fail(error)

        self._intake.store.accept(message, stored)

    def _accepted(self, message: Message, prepared: Prepared) -> None:
        expanded = prepared.envelope.expanded
        if expanded and self._intake.expanded is not None:
            self._intake.expanded(message, expanded)
        self._intake.accepted(message)
        self._answer(_queued(message))

    def _fail(self, error: BaseException | None) -> None:
        """Refuse the message for an error, now or at its final dot."""
        if isinstance(error, RefusedError):
            self._refusal = error.reply
        else:
            self._refusal = WRITE_ERROR
            queue_id = id_of(self._session.transaction.queue_key)
            what = str(error) if isinstance(error, StoreUnavailable) else repr(error)
            self._intake.log.warning("cleanup", f"{queue_id}: write queue file: {what}")
        if self._then is not None:
            self._refuse(self._refusal)
        elif self._spool is not None:
            self._spool.abort()
            self._spool = None
        self._pieces.clear()

    def _refuse(self, reply: Reply) -> None:
        self._give_up()
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(reply)

    def _log_bad_character(self) -> None:
        session = self._session
        transaction = session.transaction
        whom = transaction.recipients[0].address if transaction.recipients else "unknown"
        self._intake.log.line(
            "cleanup",
            f"{id_of(transaction.queue_key)}: reject: content from {session.client.named_address};"
            f" from=<{transaction.sender or ''}> to=<{whom}> proto={session.protocol}"
            f" helo=<{session.helo}>: 5.7.1 {BAD_CHARACTER.text}",
        )


def _queued(message: Message) -> Reply:
    return Reply(250, "2.0.0", f"Ok: queued as {message.id}")
