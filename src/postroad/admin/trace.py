"""What happened to a message, an address or a client: refusals that were kept, and lines of the mail log."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from postroad.admin.explain import trail_text
from postroad.model.explain import Trail
from postroad.net.hostname import bare_address, plain_address

#: A line of the log: its time, program, queue id (or NOQUEUE) and the rest.
_QUEUED: Final = re.compile(r"\]: ([0-9A-Za-z]{6,}): ")
_ID: Final = re.compile(r"[0-9A-F]{6,15}|[0-9b-df-hj-np-tv-zB-DF-HJ-NP-TV-Z]{11,}")
_MESSAGE_ID: Final = re.compile(r"message-id=(<[^>]*>)")
#: Lines that are shown at most: one client may have very many.
_LINES: Final = 5000
_ADDRESSES: Final = re.compile(r"\b(?:from|to|orig_to)=<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: ``kind`` is client, address, queue id, message id or host."""

    kind: str
    text: str

    @classmethod
    def read(cls, text: str) -> Wanted:
        """Find out what a word of the command line is; ValueError for nothing."""
        address = bare_address(text)
        if address is not None:
            return cls("client", plain_address(address))
        if text.startswith("<") and text.endswith(">") and "@" in text:
            # A message id is written as a header has it; an address may be, too.
            return cls("message id", text)
        if "@" in text:
            return cls("address", text.lower())
        if _ID.fullmatch(text):
            return cls("queue id", text)
        if "." in text or text.isalpha():
            return cls("host", text.lower())
        raise ValueError(
            f"{text}: neither an address, a client's IP address or name, a queue id nor a message id"
        )

    def refused(self, record: dict[str, Any]) -> bool:
        """Return whether a record of a refusal is about it."""
        bare = self.text.strip("<>").lower()
        match self.kind:
            case "client":
                return bool(record.get("client_address") == self.text)
            case "queue id":
                return bool(record.get("queue_id") == self.text)
            case "host":
                return bare in (str(record.get("client_name")).lower(), str(record.get("helo")).lower())
            case _:
                return bare in (str(record.get("sender")).lower(), str(record.get("recipient")).lower())

    def logged(self, line: str) -> bool:
        """Return whether a line of the log is about it by itself."""
        match self.kind:
            case "client":
                return f"[{self.text}]" in line
            case "queue id":
                return f": {self.text}: " in line
            case "host":
                return re.search(rf"(?<![\w.-]){re.escape(self.text)}\[", line.lower()) is not None
            case "message id":
                found = _MESSAGE_ID.search(line)
                if found is not None and found[1] == self.text:
                    return True
            case _:
                # A message id may be given without its brackets.
                if f"message-id=<{self.text}>" in line.lower():
                    return True
        bare = self.text.strip("<>").lower()
        return any(each.lower() == bare for each in _ADDRESSES.findall(line))


def refusals_of(records: Iterable[dict[str, Any]], wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the records that are about it."""
    return (record for record in records if wanted.refused(record))


def log_lines(path: Path, wanted: Wanted, most: int) -> list[str]:
    """Return the lines about it, and all those of its messages; of the newest messages ``most`` at most.

    OSError when the file cannot be read.  It is read twice, and kept in memory line by line only.
    """
    ids: dict[str, None] = {}
    for line in _read(path):
        if wanted.logged(line):
            found = _QUEUED.search(line)
            if found is not None and _is_id(found[1]):
                ids.pop(found[1], None)
                ids[found[1]] = None
                if len(ids) > most:
                    del ids[next(iter(ids))]
    lines: deque[str] = deque(maxlen=_LINES)
    for line in _read(path):
        found = _QUEUED.search(line)
        queued = found is not None and _is_id(found[1])
        if (found is not None and found[1] in ids) or (not queued and wanted.logged(line)):
            lines.append(line)
    return list(lines)


def _read(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            yield line.rstrip("\n")


def _is_id(word: str) -> bool:
    return word != "NOQUEUE" and _ID.fullmatch(word) is not None


def refusal_lines(record: dict[str, Any]) -> Iterator[str]:
    """Yield a refusal in plain words."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(record["time"])))
    code = str(record.get("reply", ""))
    yield f"{moment} {'refused for good' if code.startswith('5') else 'put off'}: {code}"
    helo = f", HELO {record['helo']}" if record.get("helo") else ""
    login = f", logged in as {record['login']}" if record.get("login") else ""
    client = f"{record.get('client_name')}[{record.get('client_address')}]"
    yield f"  client {client}{helo}{login}, service {record.get('service')}, at {record.get('command')}"
    envelope = []
    if record.get("sender") is not None:
        envelope.append(f"from <{record['sender']}>")
    if record.get("recipient"):
        envelope.append(f"to <{record['recipient']}>")
    if envelope:
        yield f"  {' '.join(envelope)}"
    trail, behind = _trail(record.get("trail")), _trail(record.get("behind"))
    if trail is not None:
        yield f"  decided by {trail_text(trail)}"
    else:
        yield "  decided by no restriction: the server itself says so"
    if behind is not None:
        yield f"  in the place of a refusal for good, because of {trail_text(behind)}"


def _trail(value: Any) -> Trail | None:
    if not isinstance(value, dict):
        return None
    path = tuple((str(name), int(place), str(text)) for name, place, text in value.get("path", ()))
    words = (str(value.get(name, "")) for name in ("table", "key", "value", "error"))
    return Trail(path, *words)


def unsaid(lines: Iterable[str], records: Iterable[dict[str, Any]]) -> list[str]:
    """Return the lines of the log that say more than the records do."""
    replies = {str(record.get("reply")) for record in records}
    return [line for line in lines if not (": reject: " in line and any(reply in line for reply in replies))]
