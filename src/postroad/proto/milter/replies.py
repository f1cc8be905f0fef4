"""The text of an SMTP reply that a milter gives: checked before a client or a log sees any of it."""

from __future__ import annotations

import re
from typing import Final

from postroad.model.reply import Reply
from postroad.proto.milter.codec import MilterError

#: libmilter's own bounds: lines of a reply, and bytes of a line.
_MOST_LINES: Final = 32
_LONGEST_LINE: Final = 980
_LINE = re.compile(
    r"([45][0-9]{2})(?:([ -])(?:([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|\Z))?(.*))?", re.DOTALL
)
_ENDS = re.compile("\r\n|\n")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f]")


class MalformedReply(MilterError):  # noqa: N818 - what is wrong, not that something is
    """A milter wanted to refuse, but not with a reply that could be given."""


def read_reply(data: bytes) -> Reply:
    """Return the reply, of one line or several.  MalformedReply when it is not a 4xx or 5xx one."""
    text = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    lines = _ENDS.split(text.removesuffix("\n").removesuffix("\r"))
    shown = _UNSAFE.sub("?", text[:200])
    if len(lines) > _MOST_LINES or max(map(len, lines)) > _LONGEST_LINE:
        raise MalformedReply(f"malformed reply: {shown}")
    code, statuses, texts = "", set(), []
    for at, line in enumerate(lines):
        found = _LINE.fullmatch(line)
        if found is None or (code and found[1] != code):
            raise MalformedReply(f"malformed reply: {shown}")
        code = found[1]
        status = found[3] or ""
        # RFC 5321 4.2.1: a hyphen behind the code of each line but the last; RFC 2034 4: one class
        if (found[2] == "-") is (at == len(lines) - 1) or (status and status[0] != code[0]):
            raise MalformedReply(f"malformed reply: {shown}")
        statuses.add(status)
        texts.append((status, _percents(_UNSAFE.sub("?", found[4] or ""))))
    if len(statuses) == 1:
        return Reply(int(code), statuses.pop(), "\n".join(text for _, text in texts))
    return Reply(int(code), "", "\n".join(f"{status} {text}".strip() for status, text in texts))


def _percents(text: str) -> str:
    """Sendmail prints replies as formats, so that milters write ``%%``; a single one means nothing."""
    if "%" not in text:
        return text
    return "%".join(part.replace("%", "") for part in text.split("%%"))
