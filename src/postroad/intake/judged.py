"""A message shown to mail filters before it is stored: what they want of it is done, or it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from postroad.base.ids import id_of
from postroad.filters.edits import body_of, changed_recipients, changed_sender, edited_content
from postroad.intake.envelope import original_recipient
from postroad.intake.refusal import RefusedError
from postroad.mail.header import block_end
from postroad.model.filters import EnvelopeEdit, FilterOutcome
from postroad.model.message import Content, Text
from postroad.model.ports import Judge
from postroad.model.queue import Spool
from postroad.model.session import Session

if TYPE_CHECKING:
    from postroad.intake.intake import Intake, Prepared


class Judged:
    """A message that the filters let pass: its content, and the spool of that if it is a file."""

    __slots__ = ("content", "spool", "wide")

    def __init__(self, content: Content, spool: Spool | None, *, wide: bool) -> None:
        self.content = content
        self.spool = spool
        self.wide = wide  # not all of it is ASCII


async def judge_message(intake: Intake, session: Session, prepared: Prepared, found: Judged, judge: Judge) -> Judged:  # fmt: skip  # noqa: E501
    """Return the message as the filters want it; RefusedError as they, or a table, refuse it."""
    header = prepared.front[: block_end(prepared.front)]
    actions = session.transaction.actions
    outcome = await judge(header, body_of(found.content, header))
    if outcome.reply is not None:
        raise RefusedError(outcome.reply)
    if outcome.discard:
        actions["DISCARD"] = ""
        return found
    if outcome.hold:
        actions["HOLD"] = ""
    if outcome.envelope:
        await _readdress(intake, session, prepared, outcome.envelope)
    if outcome.header is None and outcome.body is None:
        return found
    if outcome.header is not None:
        prepared.wide = not outcome.header.isascii()
    body_wide = found.wide if outcome.body is None else not all(map(bytes.isascii, outcome.body))
    return _rewritten(intake, session, header, outcome, found, wide=body_wide or prepared.wide)


async def _readdress(intake: Intake, session: Session, prepared: Prepared, edits: Sequence[EnvelopeEdit]) -> None:  # fmt: skip  # noqa: E501
    transaction, envelope = session.transaction, prepared.envelope
    queue_id = id_of(transaction.queue_key)
    ignored: list[str] = []
    sender = changed_sender(edits)
    if sender is not None:
        address, told, ignored = sender
        envelope.sender = intake.envelopes.sender(address)
        transaction.ret = told.ret or transaction.ret
        transaction.envid = told.envid or transaction.envid
    kept, added, bad = changed_recipients(envelope.recipients, edits)
    for recipient in added:
        recipient.orcpt = recipient.orcpt or original_recipient(recipient.original)
    if added:
        added = (await intake.envelopes.mapped(envelope.sender, added, queue_id, copies=False)).recipients
    seen = intake.envelopes.duplicates()
    envelope.recipients = [each for each in (*kept, *added) if seen.is_new(each)]
    for text in (*ignored, *bad):
        intake.log.warning("cleanup", f"{queue_id}: {text}")
    if not envelope.recipients:  # nobody is left to get it
        transaction.actions["DISCARD"] = ""


def _rewritten(intake: Intake, session: Session, header: bytes, outcome: FilterOutcome, found: Judged, *, wide: bool) -> Judged:  # fmt: skip  # noqa: E501
    pieces: Iterator[bytes] = found.content.pieces()
    if found.spool is None:
        text = b"".join(edited_content(pieces, header, outcome))
        if len(text) <= intake.inline_limit:
            plain = outcome.body is None and getattr(found.content, "plain", False)
            return Judged(Text(text, plain=plain), None, wide=wide)
        pieces = iter((text,))
    else:
        first = next(pieces, b"")  # from here on it is read from the open file, which may lose its name
        found.spool.abort()
        pieces = edited_content(chain((first,), pieces), header, outcome)
    spool = intake.store.spool(session.transaction.queue_key)
    try:
        for piece in pieces:
            spool.write(piece)
        return Judged(spool.finish(), spool, wide=wide)
    except BaseException:
        spool.abort()
        raise
