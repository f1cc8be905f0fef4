"""The policy delegation protocol (SMTPD_POLICY_README): attributes out, one action back.

Both ways carry lines ``name=value`` that an empty line ends.  Nothing here reads or waits: ``request``
makes the bytes of a question, an ``Answer`` takes what comes back, cut anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from postroad.base.errors import PostroadError

#: Bytes of one answer.  Postfix has no limit; a PREPEND of a long header fits many times.
ANSWER_LIMIT = 1 << 17

#: What would end a line, or a C string at the other end.
_NEUTERED = {0: "?", 10: "?", 13: "?"}


class AnswerError(PostroadError):
    """The server said something that is no answer; the connection is of no more use."""


def request(attributes: Iterable[tuple[str, str]]) -> bytes:
    """Return a question.  Octets that were no UTF-8 go out as they came in."""
    lines = [f"{name}={value.translate(_NEUTERED)}\n" for name, value in attributes]
    return ("".join(lines) + "\n").encode("utf-8", "surrogateescape")


class Answer:
    """The answer to one question, while it arrives."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def begun(self) -> bool:
        """Whether a part of it is there."""
        return bool(self._data)

    def feed(self, data: bytes) -> str | None:
        """Take a piece; return the action once the answer is whole, None before.

        AnswerError, with Postfix's words, for what is no answer: without an action, too long, with
        something behind it (the next answer would belong to this question).
        """
        seen = len(self._data)
        self._data += data
        if self._data.startswith(b"\n"):
            raise AnswerError("missing attribute action")
        end = self._data.find(b"\n\n", max(0, seen - 1))
        if end < 0:
            if len(self._data) > ANSWER_LIMIT:
                raise AnswerError("unreasonably long answer")
            self._check_lines(seen)
            return None
        if end > ANSWER_LIMIT:
            raise AnswerError("unreasonably long answer")
        if end + 2 != len(self._data):
            raise AnswerError("more than one answer to a question")
        return _action(bytes(self._data[:end]).split(b"\n"))

    def _check_lines(self, seen: int) -> None:
        """Refuse a line that is no attribute at once: a server that sends CRLF would be waited for."""
        if b"\n" not in self._data[seen:]:
            return
        *lines, _ = self._data[self._data.rfind(b"\n", 0, seen) + 1 :].split(b"\n")
        for line in lines:
            if b"=" not in line:
                raise AnswerError("malformed or null attribute name or value")


def _action(lines: list[bytes]) -> str:
    """Return the first action; other attributes are passed over."""
    found: str | None = None
    for line in lines:
        name, equals, value = line.partition(b"=")
        if not name or not equals or b"\0" in line:
            raise AnswerError("malformed or null attribute name or value")
        if name == b"action" and found is None:
            found = value.removesuffix(b"\r").decode("utf-8", "surrogateescape")
    if found is None:
        raise AnswerError("missing attribute action")
    return found
