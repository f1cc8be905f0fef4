"""The header on its way in: counted, cleaned, completed (cleanup(8)).  The body is never touched.

A remote client's header goes through as it came, found to be harmless by a few searches on the whole
block; only one that holds something to change is taken apart into fields.
"""

from __future__ import annotations

import re

from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.intake import params
from postroad.intake.refusal import HEADER_TOO_BIG, TOO_MANY_HOPS, RefusedError
from postroad.intake.rules import AddressRules, Role
from postroad.mail import header as block
from postroad.mail.address import to_external
from postroad.mail.encoded import phrase
from postroad.mail.header_address import Sort, parse, render
from postroad.mail.message_id import message_id
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model

MESSAGE_ID = Event("cleanup", "%s: message-id=%s", "The Message-Id of a message, <> when it has none.")
RESENT_MESSAGE_ID = Event("cleanup", "%s: resent-message-id=%s", "The Resent-Message-Id of a message.")

#: No header is larger, whatever header_size_limit says of each field: it is kept in memory as a whole.
BLOCK_LIMIT = 1 << 20

_SENDERS = b"from sender reply-to return-path errors-to mail-followup-to disposition-notification-to return-receipt-to resent-from resent-sender"  # noqa: E501
_RECIPIENTS = b"to cc bcc apparently-to resent-to resent-cc resent-bcc resent-reply-to"
_ROLES = dict.fromkeys(_SENDERS.split(), Role.HEADER_SENDER)
_ROLES |= dict.fromkeys(_RECIPIENTS.split(), Role.HEADER_RECIPIENT)
_RESENT = frozenset(b"resent-" + name for name in b"bcc cc date from message-id reply-to sender to".split())
_VISIBLE = frozenset({b"to", b"cc", b"resent-to", b"resent-cc"})

_BLANK_COLON = re.compile(rb"^[!-9;-~]++[ \t]++:", re.MULTILINE)
_FROM_LINE = re.compile(rb">*+From [^\n]*+\n")
_ADDRESS = rb"[A-Za-z0-9_+=-]++(?:\.[A-Za-z0-9_+=-]++)*@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)+"
_COMPLETE_ONE = rb"[ \t\r\n]*+(?:(?:\"[^\"\\]*+\"|[^\"\\()<>@,;:.\[\]|%!]*+)[ \t\r\n]*+<" + _ADDRESS + rb">|" + _ADDRESS + rb")[ \t\r\n]*+"  # fmt: skip  # noqa: E501
#: A list of addresses that are complete beyond doubt: nothing in it would be rewritten.
_COMPLETE_LIST = _COMPLETE_ONE + rb"(?:," + _COMPLETE_ONE + rb")*"
_COMPLETE = re.compile(_COMPLETE_LIST)
#: A field (in a header in lower case) whose addresses are something else, or more.
_INCOMPLETE = re.compile(rb"\n(?:" + b"|".join(_ROLES) + rb"):(?!" + _COMPLETE_LIST + rb"(?<=\n))")


def mailbox_lines(content: bytes) -> bytes:
    """Return the content with mbox separators at its very beginning made fields, as Postfix does.

    Else a "From " line would end the header before it has begun.
    """
    at = 0
    lines: list[bytes] = []
    while (found := _FROM_LINE.match(content, at)) is not None:
        lines.append(b"X-Mailbox-Line: " + found[0])
        at = found.end()
    return b"".join(lines) + content[at:] if lines else content


class HeaderJob:
    """One message's header while it is cleaned.

    ``context`` says how addresses are completed: None not at all, True as local, False from
    remote_header_rewrite_domain.  ``sender`` is the envelope's, in its final form.
    """

    __slots__ = ("context", "date", "fullname", "queue_id", "sender")

    def __init__(self, queue_id: str, context: bool | None, sender: str, date: str, fullname: str = "") -> None:  # fmt: skip  # noqa: E501
        self.queue_id = queue_id
        self.context = context
        self.sender = sender
        self.date = date
        self.fullname = fullname


class HeaderRules:
    """The rules for headers; made once for each set of settings."""

    __slots__ = ("_add_always", "_drop", "_drop_search", "_from_format", "_hops", "_hostname", "_limit", "_log", "_mapped", "_rewriter", "_rules", "_tokens", "_undisclosed")  # fmt: skip  # noqa: E501

    def __init__(self, settings: Settings, rewriter: Rewriter, rules: AddressRules, log: Log) -> None:
        self._log = log
        self._rewriter = rewriter
        self._rules = rules
        self._mapped = rules.maps(Role.HEADER_SENDER) or rules.maps(Role.HEADER_RECIPIENT)
        self._hops = settings[model.HOPCOUNT_LIMIT]
        self._hostname = settings[model.MYHOSTNAME]
        self._limit = settings[model.HEADER_SIZE_LIMIT]
        self._tokens = settings[params.HEADER_ADDRESS_TOKEN_LIMIT]
        self._add_always = settings[params.ALWAYS_ADD_MISSING_HEADERS]
        self._from_format = settings[params.HEADER_FROM_FORMAT]
        names = [name.lower().encode() for name in settings[params.MESSAGE_DROP_HEADERS]]
        self._drop = frozenset(names)
        pattern = b"|".join(re.escape(name) for name in names) or rb"(?!)"
        self._drop_search = re.compile(rb"\n(?:" + pattern + rb"):").search
        undisclosed = settings[params.UNDISCLOSED_RECIPIENTS_HEADER].encode() + b"\r\n"
        self._undisclosed = undisclosed if block.block_end(undisclosed) == len(undisclosed) else b""

    def completes(self, context: bool | None) -> bool:
        """Return whether a header of this context is taken apart and completed: see ``complete``."""
        return context is not None or self._add_always

    def plain(self, header: bytes, queue_id: str, *, strict: bool = False) -> bytes:
        """Return the header of a remote client, cleaned.  RefusedError: too many hops, or too large.

        ``strict`` says that no field is known to have a blank in front of its colon.
        """
        low = b"\n" + header.lower()
        if self._is_unusual(header, low, strict=strict):
            kept: list[bytes] = []
            seen = self._scan(header, queue_id, kept)
            header = b"".join(kept)
        else:
            seen = self._look_through(header, low, queue_id)
        if b"message-id" not in seen:
            self._log.emit(MESSAGE_ID, queue_id, "<>")
        return header

    def complete_now(self, header: bytes, job: HeaderJob, *, strict: bool = False) -> bytes | None:
        """Return what ``complete`` would; None when there is something to take apart.  RefusedError as there.

        Nothing was noted when it returns None.
        """
        low = b"\n" + header.lower()
        if self._is_unusual(header, low, strict=strict) or b"\nresent-" in low:
            return None
        if job.context is not None and (self._mapped or _INCOMPLETE.search(low) is not None):
            return None
        seen = self._look_through(header, low, job.queue_id)
        if b"\ndate:" in low:
            seen.add(b"date")
        if b"\nfrom:" in low:
            seen.add(b"from")
        if b"\nto:" in low or b"\ncc:" in low:
            seen.add(b"to")
        if len(seen) == 4:  # with the Message-Id
            return header
        kept = [header]
        self._add_missing(kept, seen, job)
        return b"".join(kept)

    async def complete(self, header: bytes, job: HeaderJob, *, strict: bool = False) -> bytes:
        """Return the header cleaned, its addresses rewritten, and what is missing added.

        RefusedError: too many hops, too large, or a table could not be asked.
        """
        done = self.complete_now(header, job, strict=strict)
        if done is not None:
            return done
        kept: list[bytes] = []
        seen = self._scan(header, job.queue_id, kept)
        if job.context is not None:
            for at, raw in enumerate(kept):
                role = _ROLES.get(raw[: raw.index(b":")].lower())
                if role is not None:
                    kept[at] = await self._rewritten(raw, role, job)
        self._add_missing(kept, seen, job)
        return b"".join(kept)

    def _is_unusual(self, header: bytes, low: bytes, *, strict: bool) -> bool:
        """Return whether the header must be taken apart.  RefusedError when it is too large for that."""
        if len(header) > BLOCK_LIMIT:
            raise RefusedError(HEADER_TOO_BIG)
        return bool(
            len(header) > self._limit
            or self._drop_search(low)
            or b"\nresent-message-id" in low
            or (not strict and _BLANK_COLON.search(header))
        )

    def _look_through(self, header: bytes, low: bytes, queue_id: str) -> set[bytes]:
        # the Received field that we put in front counts as well
        hops = low.count(b"\nreceived:") + 1
        if hops >= self._hops:
            self._check_hops(hops, queue_id)
        return self._note_message_ids(header, low, queue_id)

    def _check_hops(self, hops: int, queue_id: str) -> None:
        # RFC 5321 6.3
        if hops >= self._hops:
            self._log.warning("cleanup", f"{queue_id}: message rejected: hopcount exceeded")
            raise RefusedError(TOO_MANY_HOPS)

    def _note_message_ids(self, header: bytes, low: bytes, queue_id: str) -> set[bytes]:
        at = low.find(b"\nmessage-id:")
        if at < 0:
            return set()
        while at >= 0:
            end = low.find(b"\n", at + 1)
            while low[end + 1 : end + 2] in (b" ", b"\t"):
                end = low.find(b"\n", end + 1)
            self._note(MESSAGE_ID, queue_id, header[at + 11 : end - 1])
            at = low.find(b"\nmessage-id:", end)
        return {b"message-id"}

    def _note(self, event: Event, queue_id: str, body: bytes) -> None:
        value = body.strip()
        if b"\n" in value:
            value = value.replace(b"\r\n", b"\n")
        self._log.emit(event, queue_id, value.decode("utf-8", "replace"))

    def _scan(self, header: bytes, queue_id: str, kept: list[bytes]) -> set[bytes]:
        """Count and note fields, keep all but those to be dropped; return the names that were there."""
        seen: set[bytes] = set()
        hops = 1
        for field in block.fields(header):
            name, raw = field.name, field.raw
            seen.add(name)
            if name == b"received":
                hops += 1
            elif name == b"message-id":
                self._note(MESSAGE_ID, queue_id, field.body)
            elif name == b"resent-message-id":
                self._note(RESENT_MESSAGE_ID, queue_id, field.body)
            if name in self._drop:
                continue
            if raw[len(name)] != 0x3A:  # a blank in front of the colon (RFC 5322 4.5)
                raw = raw[: len(name)] + raw[raw.index(b":") :]
            kept.append(raw if len(raw) <= self._limit else self._cut(raw, len(name)))
        self._check_hops(hops, queue_id)
        return seen

    def _cut(self, raw: bytes, name_size: int) -> bytes:
        return block.truncated(raw, max(self._limit, name_size + 1))

    async def _rewritten(self, raw: bytes, role: Role, job: HeaderJob) -> bytes:
        """Return a field with its addresses rewritten; as it came when none of them changes."""
        name, _, body = raw.partition(b":")
        mapped = self._rules.maps(role)
        if not mapped and _COMPLETE.fullmatch(body):
            return raw
        parts = parse(body.decode("utf-8", "surrogateescape"), self._tokens)
        changed = False
        for part in parts:
            if part.sort is not Sort.ADDRESS:
                continue
            address = self._rewriter.rewrite(part.text, local=job.context is True)
            if mapped and address:
                address = await self._rules.apply(address, role, job.queue_id)
            changed = changed or part.odd or address != part.text
            part.text = address
        if not changed:
            return raw
        return render(name.decode(), parts).encode("utf-8", "surrogateescape") + b"\r\n"

    def _add_missing(self, kept: list[bytes], seen: set[bytes], job: HeaderJob) -> None:
        """Add (Resent-)Message-Id, Date, From and To where they are missing (RFC 5322 3.6, RFC 6409 8)."""
        resent = not _RESENT.isdisjoint(seen)
        low, high = (b"resent-", "Resent-") if resent else (b"", "")
        if low + b"message-id" not in seen:
            made = message_id(job.queue_id, self._hostname)
            kept.append(f"{high}Message-Id: {made}\r\n".encode())
            self._log.emit(RESENT_MESSAGE_ID if resent else MESSAGE_ID, job.queue_id, made)
            seen.add(low + b"message-id")
        if b"message-id" not in seen:
            self._log.emit(MESSAGE_ID, job.queue_id, "<>")
        if low + b"date" not in seen:
            kept.append(f"{high}Date: {job.date}\r\n".encode())
        if low + b"from" not in seen:
            kept.append(f"{high}From: {self._author(job)}\r\n".encode("utf-8", "surrogateescape"))
        if _VISIBLE.isdisjoint(seen) and self._undisclosed:
            kept.append(self._undisclosed)

    def _author(self, job: HeaderJob) -> str:
        address = to_external(job.sender) or "MAILER-DAEMON"
        name = phrase(job.fullname) if job.sender else ""
        if not name:
            return address
        return f"{name} <{address}>" if self._from_format == "standard" else f"{address} ({_comment(name)})"


def _comment(text: str) -> str:
    return text if text.isalnum() else re.sub(r"[()\\]", r"\\\g<0>", text)
