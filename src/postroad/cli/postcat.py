"""``postcat``: show a queued message as the records of a Postfix queue file."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from postroad.base.errors import PostroadError
from postroad.cli.queue_tools import Ending, Tool, is_queue_id
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Content, Message

_USAGE = "usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-o (record offsets)] [-q (access queue)] [-v] [file(s)...]"  # noqa: E501
_HEADER = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:|[ \t]")

#: a record's type, its name in the listing, its data in the file, its data in the listing
Record = tuple[str, str, bytes, str]


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; the exit status is 1 when a message cannot be shown."""
    tool = Tool("postcat")
    try:
        options, names = tool.options(args, "bc:dehnoqrs:v", _USAGE, directory)
        letters = {option[1] for option, _value in options}
        if names and "q" not in letters:
            tool.fatal(f"open {names[0]}: this queue has no queue files; name a queue id with -q")
        settings = tool.settings()
        verbose = any(arg.startswith("-") and "v" in arg for arg in args)
        printer = _Printer(letters, verbose=verbose)
        for name in names:
            _show(tool, Path(settings.texts["queue_directory"]), name, printer)
    except Ending as end:
        return end.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has seen enough
        return 0
    except (PostroadError, OSError) as error:
        tool.say(f"fatal: {error}")
        return 1
    return 0


def _show(tool: Tool, queue_directory: Path, queue_id: str, printer: _Printer) -> None:
    from postroad.admin.queue import find_message, queue_of

    if not is_queue_id(queue_id):
        tool.fatal(f"bad mail queue ID: {queue_id}")
    if queue_directory.exists() and not os.access(queue_directory, os.R_OK | os.X_OK):
        tool.fatal(f"open queue file {queue_id}: Permission denied")
    try:
        found = find_message(queue_directory, queue_id)
    except ValueError:
        found = None
    if found is None:
        tool.fatal(f"open queue file {queue_id}: No such file or directory")
    message, content = found
    if content is None:
        tool.fatal(f"open queue file {queue_id}: the content is missing")
    queue = queue_of(message)
    # Postfix keeps deferred mail in subdirectories named by the first letter of the queue id.
    name = f"{queue}/{message.id[0]}/{message.id}" if queue == "deferred" else f"{queue}/{message.id}"
    printer.show(name, message, content)


class _Printer:
    """Prints what was asked for: all, or some of envelope, header and body."""

    def __init__(self, letters: set[str], *, verbose: bool) -> None:
        parts = letters & {"b", "e", "h"} or {"b", "e", "h"}
        self._envelope = "e" in parts
        self._header = "h" in parts
        self._body = "b" in parts
        self._types = "d" in letters
        self._offsets = "o" in letters
        self._verbose = verbose
        self._offset = 0

    def show(self, name: str, message: Message, content: Content) -> None:
        """Print one message."""
        self._offset = 0
        if self._envelope:
            self._write(f"*** ENVELOPE RECORDS {name} ***")
        records = list(envelope_records(message))
        for kind, label, data, text in [_size_record(message, records), *records]:
            self._record(kind, len(data), f"{label}: {text}", shown=self._envelope)
        self._record("M", 0, f"*** MESSAGE CONTENTS {name} ***", shown=self._envelope)
        self._content(content)
        self._record("X", 0, f"*** HEADER EXTRACTED {name} ***", shown=self._envelope)
        self._record("E", 0, f"*** MESSAGE FILE END {name} ***", shown=self._envelope)
        sys.stdout.flush()

    def _content(self, content: Content) -> None:
        in_header = True
        for line in lines_of(content):
            in_header = in_header and _HEADER.match(line) is not None
            shown = self._header if in_header else self._body
            text = line.decode("utf-8", "surrogateescape")
            self._record("N", len(line), f"regular_text: {text}" if self._verbose else text, shown=shown)

    def _record(self, kind: str, size: int, text: str, *, shown: bool) -> None:
        if shown:
            head = f"{self._offset:9d} " if self._offsets else ""
            head += f"{ord(kind):3d} " if self._types else ""
            self._write(head + text)
        self._offset += _record_size(size)

    def _write(self, text: str) -> None:
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")


def envelope_records(message: Message) -> Iterator[Record]:
    """Yield the records of an envelope behind the size record."""
    seconds = int(message.arrival)
    date = time.asctime(time.localtime(seconds))
    stamp = f"{seconds} {int(message.arrival % 1 * 1_000_000)}"
    yield "T", "message_arrival_time", stamp.encode(), date
    yield "A", "create_time", f"create_time={seconds}".encode(), date
    if content_filter := message.attributes.get("content_filter"):
        yield _text_record("L", "content_filter", content_filter)
    for name, value in message.attributes.items():
        if name not in ("expired", "content_filter"):
            yield _attribute(name, value)
    if message.eight_bit:
        yield _attribute("encoding", "8bit")
    yield _text_record("S", "sender", message.sender)
    if message.envid:
        yield _attribute("dsn_envelope_id", message.envid)
    if message.ret:
        yield _attribute("dsn_ret_flags", "1" if message.ret == "FULL" else "2")
    for recipient in message.recipients:
        if recipient.orcpt:
            yield _attribute("dsn_orig_rcpt", recipient.orcpt)
        if recipient.notify:
            yield _attribute("dsn_notify_flags", str(_notify_flags(recipient.notify)))
        yield _text_record("O", "original_recipient", recipient.original)
        yield (
            _text_record("D", "done_recipient", recipient.address)
            if recipient.done
            else _text_record("R", "recipient", recipient.address)
        )


def _notify_flags(notify: int) -> int:
    """Return Postfix's DSN_NOTIFY bits."""
    places = {NEVER: 1, SUCCESS: 2, FAILURE: 4, DELAY: 8}
    return sum(theirs for ours, theirs in places.items() if notify & ours)


def _attribute(name: str, value: str) -> Record:
    text = f"{name}={value}"
    return "A", "named_attribute", text.encode("utf-8", "surrogateescape"), text


def _text_record(kind: str, label: str, text: str) -> Record:
    return kind, label, text.encode("utf-8", "surrogateescape"), text


def _size_record(message: Message, records: list[Record]) -> Record:
    """Return the first record: content size, content offset, recipients, flags, content size, SMTPUTF8."""
    first = 6 * 15 + 5
    offset = sum(_record_size(len(data)) for _kind, _label, data, _text in records)
    offset += _record_size(first) + _record_size(0)
    done = sum(recipient.done for recipient in message.recipients)
    fields = (message.size, offset, len(message.recipients) - done, 0, message.size, int(message.smtputf8))
    text = " ".join(f"{field:15d}" for field in fields)
    return "C", "message_size", text.encode(), text


def _record_size(size: int) -> int:
    """Return the bytes of a record in a queue file: type, length in groups of seven bits, data."""
    return 1 + max(1, -(-size.bit_length() // 7)) + size


def lines_of(content: Content) -> Iterator[bytes]:
    """Yield a content's lines without their ends."""
    left = b""
    for piece in content.pieces():
        *lines, left = (left + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
    if left:
        yield left
