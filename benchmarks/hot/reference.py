"""A fixed program that uses Python as the hot path does: the unit that instructions are divided by.

Another build or version of Python makes it cheaper or dearer by about as much as the hot path, so the
ratio of the two tells of our code alone.  NEVER CHANGE IT: every recorded ratio would be worth nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f]")
_HEADER = b"From: Alice <alice@example.org>\r\nTo: Bob <bob@example.com>\r\nSubject: A\r\n\r\n"
_INPUT = b"MAIL FROM:<alice@example.org> SIZE=1000\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nQUIT\r\n"
_BODY = _HEADER + (b"x" * 70 + b"\r\n") * 12
_STEPS, _PASSES = 3, 6


class RefusedError(Exception):
    """Something was not taken."""


class Item:
    """A value with slots."""

    __slots__ = ("address", "done", "key", "notes", "size", "text")

    def __init__(self, key: int, address: str, text: bytes) -> None:
        self.key = key
        self.address = address
        self.text = text
        self.size = len(text)
        self.notes: dict[str, str] = {}
        self.done = False


class Step:
    """One of a chain of small methods that pass a value on and note it: most of what the hot path is."""

    __slots__ = ("after", "before", "count", "limit", "pending", "state")

    def __init__(self, after: Step | None, limit: int) -> None:
        self.after = after
        self.before: Item | None = None
        self.count = 0
        self.limit = limit
        self.pending = False
        self.state = "idle"

    def take(self, item: Item) -> int:
        self.before = item
        self.count += 1
        if self.pending or self.state == "closed":
            return 0
        self.state = "busy"
        return self.settle(item)

    def settle(self, item: Item) -> int:
        size = self.measure(item)
        after = self.after
        if after is not None and size <= self.limit:
            size = after.take(item)
        self.state = "idle"
        self.rest()
        return size

    def measure(self, item: Item) -> int:
        return item.size if item.done else len(item.text)

    def rest(self) -> None:
        self.before = None
        if self.count > self.limit:
            self.pending = True


class Machine:
    """Lines come in, methods are looked up and called, replies go out."""

    __slots__ = ("_buffer", "_verbs", "items", "out", "place", "queue", "state", "steps", "tags")

    def __init__(self) -> None:
        self._buffer = b""
        self._verbs: dict[bytes, Callable[[bytes], str | None]] = {
            b"MAIL": self.mail,
            b"RCPT": self.rcpt,
            b"DATA": self.data,
            b"QUIT": self.quit,
        }
        self.state = 0
        self.out: list[bytes] = []
        self.items: list[Item] = []
        self.queue: deque[Item] = deque()
        self.tags: dict[str, str] = {}
        self.place: dict[tuple[str, str], list[Item]] = {}
        self.steps: Step | None = None
        for _ in range(_STEPS):
            self.steps = Step(self.steps, 1_000_000)

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                return
            line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
            handler = self._verbs.get(line[:4].upper())
            if handler is None:
                raise RefusedError(line.decode())
            reply = handler(line[4:])
            if reply is not None:
                self.out.append(reply.encode("ascii"))

    def mail(self, rest: bytes) -> str | None:
        words = rest.decode("ascii").split()
        address = words[0].partition("<")[2].rstrip(">")
        for word in words[1:]:
            name, _, value = word.partition("=")
            if name == "SIZE" and value.isdigit() and int(value) > 1_000_000:
                return "552 5.3.4 too big"
        self.state = 1
        self.note("client", "%s: client=%s[%s]", f"{len(self.items):015X}", address, "192.0.2.1")
        return "250 2.1.0 Ok\r\n"

    def rcpt(self, rest: bytes) -> str | None:
        if self.state != 1:
            return "503 5.5.1 Error"
        address = rest.partition(b"<")[2].partition(b">")[0].decode("ascii")
        local, at, domain = address.rpartition("@")
        if not at or not local or not domain.isascii():
            return "501 5.1.3 Bad recipient"
        answer = self.ask(self.look(domain.lower()))
        if answer:
            return answer
        item = Item(len(self.items) * 64 + 1, f"{local}@{domain.lower()}", _BODY)
        self.items.append(item)
        return "250 2.1.5 Ok\r\n"

    def ask(self, question: Coroutine[Any, Any, str | None]) -> str | None:
        try:
            question.send(None)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        raise RuntimeError

    async def look(self, domain: str) -> str | None:
        known = self.place.get((domain, "smtp"))
        return None if known is None or len(known) < 10_000 else await self.look(domain)

    def data(self, rest: bytes) -> str | None:
        if rest:
            return "501 5.5.4 Syntax"
        item = self.items[-1]
        text = item.text
        split = text.find(b"\r\n\r\n")
        head = text[: split + 2]
        for line in head.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon and name.lower() in {b"message-id", b"subject", b"from"}:
                item.notes[name.decode("ascii")] = value.strip().decode("ascii", "replace")
        stamp = f"Received: from {item.address} ({item.address} [192.0.2.1])\r\n\tid {item.key:015X}\r\n"
        item.text = b"".join((stamp.encode("ascii"), head, text[split + 2 :]))
        item.size = len(item.text)
        self.queue.append(item)
        self.deliver(partial(self.report, item))
        return None

    def deliver(self, report: Callable[[bool, float], None]) -> None:
        item = self.queue.popleft()
        content = item.text
        if content.startswith(b".") or content.find(b"\r\n.") >= 0:
            content = content.replace(b"\r\n.", b"\r\n..")
        route = ("smtp", "[192.0.2.25]")
        waiting = self.place.setdefault(route, [])
        for _ in range(_PASSES):
            assert self.steps is not None
            self.steps.take(item)
        if isinstance(item, Item) and not item.done and item not in waiting:
            report(True, min(0.25, 1.0 + item.size / 1e6))

    def report(self, item: Item, accepted: bool, seconds: float) -> None:
        item.done = accepted
        status = "sent" if accepted else "deferred"
        self.note(
            "smtp",
            "%s: to=<%s>, delay=%.2g, status=%s (%s)",
            item.key,
            item.address,
            seconds,
            status,
            "250 Ok",
        )
        self.state = 0

    def quit(self, rest: bytes) -> str | None:
        del rest
        return "221 2.0.0 Bye\r\n" if all(item.done for item in self.items) else None

    def note(self, program: str, text: str, *values: object) -> None:
        tag = self.tags.get(program)
        if tag is None:
            tag = self.tags[program] = f"mail/{program}[4711]: "
        line = text % values
        if not (line.isascii() and line.isprintable()):
            line = _UNSAFE.sub("?", line)
        self.out.append((tag + line + "\n").encode("utf-8", "replace"))


def work(rounds: int) -> int:
    """Do the fixed work so many times."""
    written = 0
    for _ in range(rounds):
        machine = Machine()
        for at in range(0, len(_INPUT), 40):
            machine.feed(_INPUT[at : at + 40])
        written += len(b"".join(machine.out))
    return written
