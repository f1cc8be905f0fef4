"""Queueing a message while the server is down: into a shard that a starting server takes over."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - mail_owner may not be able to read Python's library later
from collections.abc import Callable, Iterable
from pathlib import Path

from postroad.admin.submit import Envelope, Refused
from postroad.base.clock import SystemClock
from postroad.base.errors import PostroadError
from postroad.base.ids import QueueIds, id_of
from postroad.base.log import Log, Sink, sink_for
from postroad.base.params import Settings
from postroad.intake.intake import Intake
from postroad.mail.address import to_external
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model
from postroad.model.client import Client
from postroad.model.message import Message, Recipient
from postroad.model.reply import Reply
from postroad.model.session import Session, Transaction
from postroad.net.interfaces import own_addresses
from postroad.proto.replies import ServerReply
from postroad.smtpd.events import LOCAL
from postroad.store.lock import ShardBusy
from postroad.store.params import QUEUE_JOURNAL_SIZE
from postroad.store.sqlite import SqliteStore
from postroad.tables.context import TableContext

SHARD = "shard-maildrop"
_NUMBER = 63  # in queue ids; no worker's
_PATIENCE = 10.0  # seconds to wait for another command that is queueing
_PAUSE = 0.05


class ServerIsBack(PostroadError):  # noqa: N818 - a state
    """A server has started meanwhile; nothing was queued here."""


def queue_directly(settings: Settings, directory: str, envelope: Envelope, content: Iterable[bytes], *, caller: tuple[int, str], log: Log, is_running: Callable[[], bool]) -> str:  # fmt: skip  # noqa: E501
    """Queue one message, synced, and return its queue id.

    ``caller`` is the user's id and login name.  Refused as the server would refuse it, ServerIsBack,
    StoreUnavailable.  To be called as mail_owner, with whatever is imported late imported before.
    """
    return asyncio.run(_queue(settings, directory, envelope, content, caller, log, is_running))


async def _queue(settings: Settings, directory: str, envelope: Envelope, content: Iterable[bytes], caller: tuple[int, str], log: Log, is_running: Callable[[], bool]) -> str:  # fmt: skip  # noqa: E501
    store = await _open(Path(settings[model.QUEUE_DIRECTORY], SHARD), log, settings[QUEUE_JOURNAL_SIZE])
    try:
        # Asked with the shard in our hands: a server that starts from now on waits for it.
        if is_running():
            raise ServerIsBack("the mail system has started")
        intake = _intake(settings, directory, store, log)
        session = _session(envelope, caller)
        reply = await _take(intake, session, content)
        if not reply.accepts:
            raise Refused("message", ServerReply(reply.code, reply.line().encode()))
        return id_of(session.transaction.queue_key)
    finally:
        await store.close()
        log.sink.flush()


def open_log(settings: Settings) -> Log:
    """Open the mail log; one that cannot be written keeps no mail back."""
    try:
        sink = sink_for(
            settings[model.MAILLOG_FILE], settings[model.SYSLOG_FACILITY], settings[model.MYHOSTNAME]
        )
    except OSError:
        sink = Sink()
    return Log(sink, settings[model.SYSLOG_NAME])


async def _open(path: Path, log: Log, journal_size: int) -> SqliteStore:
    clock = SystemClock()
    until = clock.steady() + _PATIENCE
    while True:
        try:
            return SqliteStore(path, clock=clock, log=log, journal_size=journal_size)
        except ShardBusy:
            if clock.steady() > until:
                raise
            await asyncio.sleep(_PAUSE)


def _intake(settings: Settings, directory: str, store: SqliteStore, log: Log) -> Intake:
    clock = SystemClock()
    return Intake(
        settings,
        store=store,
        ids=QueueIds(clock, _NUMBER, store.newest),
        log=log,
        clock=clock,
        accepted=_nobody,
        tables=TableContext(config_directory=directory, texts=settings.texts),
        rewriter=Rewriter(settings),
        own=own_addresses(settings),
    )


def _session(envelope: Envelope, caller: tuple[int, str]) -> Session:
    uid, login = caller
    client = Client("127.0.0.1", name="localhost", name_code=2, trusted=True, local_uid=uid, login=login)
    transaction = Transaction(
        sender=envelope.sender,
        recipients=[Recipient(address, notify=envelope.notify) for address in envelope.recipients],
        eight_bit=envelope.eight_bit,
        smtputf8=envelope.smtputf8,
        ret=envelope.ret,
        envid=envelope.envid,
    )
    return Session(client, helo="localhost", transaction=transaction)


def _nobody(message: Message) -> None:
    """The message waits: there is no scheduler to tell."""


async def _take(intake: Intake, session: Session, content: Iterable[bytes]) -> Reply:
    """Give the content to a receiver; return its reply to the end of it."""
    ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    if not intake.has_space():
        return Reply(452, "4.3.1", "Insufficient system storage")
    receiver = intake.open(session)
    queue_id = id_of(session.transaction.queue_key)
    sender = to_external(session.transaction.sender or "")
    intake.log.emit(LOCAL, queue_id, session.client.local_uid, sender)
    for piece in content:
        receiver.feed(piece)
    receiver.commit(ended.set_result)
    return await ended
