"""What milters want changed, done to a header and to an envelope.  No input or output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from postroad.mail.header import fields
from postroad.model.filters import (
    AddRecipient,
    Body,
    ChangeSender,
    DeleteRecipient,
    EnvelopeEdit,
    FilterOutcome,
)
from postroad.model.message import Content, Recipient
from postroad.model.reply import Reply
from postroad.model.session import Transaction
from postroad.proto import parameters
from postroad.proto.milter.edits import AddHeader, HeaderEdit, InsertHeader, TooLarge

#: No header becomes larger: it is kept in memory as a whole.
HEADER_LIMIT: Final = 2 << 20


def own_field(header: bytes) -> bytes:
    """Return our own Received field, the first of all: milters do not see it.  b"" without one."""
    for field in fields(header):
        if field.name == b"received":
            return field.raw
    return b""


def edited_header(header: bytes, edits: Iterable[HeaderEdit], own: bytes, *, leading_space: bool = False) -> bytes:  # fmt: skip  # noqa: E501
    """Return a header block with the edits done one after the other.  TooLarge.

    A change counts among the fields that the milter saw, all but ``own``; an insertion counts among
    all, as Sendmail does both.  ``leading_space``: values have the blank that follows the colon.
    """
    raws = [field.raw for field in fields(header)]
    names = [_name_of(raw) for raw in raws]
    hidden = raws.index(own) if own in raws else -1
    for edit in edits:
        field = field_of(edit.name, edit.value, leading_space=leading_space)
        name = edit.name.lower()
        if isinstance(edit, InsertHeader):
            at = min(edit.index, len(raws))
            hidden += at <= hidden
        elif isinstance(edit, AddHeader):
            at = len(raws)
        else:
            found = _find(names, name, edit.index, hidden)
            if found >= 0 and not edit.value:
                del raws[found], names[found]
                hidden -= found < hidden
                continue
            if found >= 0:
                raws[found] = field
                continue
            if not edit.value:
                continue
            at = len(raws)
        raws.insert(at, field)
        names.insert(at, name)
    changed = b"".join(raws)
    if len(changed) > max(HEADER_LIMIT, len(header)):
        raise TooLarge("message header too large")
    return changed


def _name_of(raw: bytes) -> bytes:
    return raw[: raw.index(b":")].rstrip().lower()


def _find(names: Sequence[bytes], name: bytes, number: int, hidden: int) -> int:
    """Return where the field of this name and number is, -1 if there is none."""
    for at, each in enumerate(names):
        if each == name and at != hidden:
            number -= 1
            if not number:
                return at
    return -1


def field_of(name: bytes, value: bytes, *, leading_space: bool = False) -> bytes:
    """Return a field with its line's end.  A line feed in the value folds it, whatever follows."""
    if b"\n" in value or b"\r" in value:
        lines = re.split(rb"[\r\n]++", value)
        # Whatever else began a line would be a field of its own, or the end of the header.
        value = b"\r\n".join(
            line if not at or line[:1] in (b" ", b"\t") else b"\t" + line
            for at, line in enumerate(lines)
            if not at or line.strip()
        )
    return name + (b":" if leading_space else b": ") + value + b"\r\n"


def body_of(content: Content, header: bytes) -> Body:
    """Return the body of a content that begins with this header and, if it has a body, an empty line."""
    return lambda: _behind(content.pieces(), len(header) + 2)


def edited_content(content: Iterable[bytes], header: bytes, outcome: FilterOutcome) -> Iterator[bytes]:
    """Yield a content that begins with this header, with the header and the body of the outcome."""
    yield header if outcome.header is None else outcome.header
    if outcome.body is None:
        yield from _behind(content, len(header))
    else:
        yield b"\r\n"
        yield from outcome.body


def _behind(pieces: Iterable[bytes], left: int) -> Iterator[bytes]:
    """Yield what stands behind so many bytes."""
    for piece in pieces:
        if left >= len(piece):
            left -= len(piece)
            continue
        yield piece[left:] if left else piece
        left = 0


def changed_sender(edits: Iterable[EnvelopeEdit]) -> tuple[str, Transaction, list[str]] | None:
    """Return the new sender, RET and ENVID in a transaction, and words for the log; None: it stays."""
    found: tuple[str, Transaction, list[str]] | None = None
    for edit in edits:
        if not isinstance(edit, ChangeSender):
            continue
        transaction, bad = Transaction(), []
        for word in edit.arguments.split():
            known = word.partition("=")[0].upper() in ("RET", "ENVID")
            if not known or parameters.read_mail([word], transaction, (), smtputf8=False) is not None:
                bad.append(f'Ignoring bad ESMTP parameter "{word}" in SMFI_CHGFROM request')
        found = edit.address, transaction, bad
    return found


def changed_recipients(recipients: Sequence[Recipient], edits: Iterable[EnvelopeEdit]) -> tuple[list[Recipient], list[Recipient], list[str]]:  # fmt: skip  # noqa: E501
    """Return the recipients that stay, those that are new, and words for the log.

    Who is deleted is named as in RCPT TO, before aliases.  New ones have yet to be rewritten and expanded.
    """
    kept, bad = list(recipients), list[str]()
    added: list[Recipient] = []
    for edit in edits:
        if isinstance(edit, DeleteRecipient):
            kept = [each for each in kept if each.original != edit.address]
            added = [each for each in added if each.original != edit.address]
        elif isinstance(edit, AddRecipient):
            notify, orcpt = 0, ""
            for word in edit.arguments.split():
                read = parameters.read_recipient([word], ())
                if isinstance(read, Reply):
                    bad.append(f'ignoring ESMTP argument from Milter or header/body_checks: "{word}"')
                else:
                    notify, orcpt = read[0] or notify, read[1] or orcpt
            added.append(Recipient(edit.address, edit.address, notify, orcpt))
    return kept, added, bad
