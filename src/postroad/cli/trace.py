"""``postroad trace``: what happened, and why."""

from __future__ import annotations

import sys
from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroad.admin.trace import Wanted

_USAGE = """usage: postroad trace WHAT [-c DIR] [--last N] [--json]

Says what happened to WHAT, and why: an ADDRESS (as sender or recipient), a client's IP address or host
name, a QUEUE_ID, or a <MESSAGE-ID>.
Refusals are known from the records that the server keeps in $data_directory (refusal_record_size): when,
who, from whom to whom, the restriction list, the restriction with its place in it, the look-up that it
obeyed, the reply.  What became of messages is looked for in maillog_file, if that is a file; older
logs, which have been put aside, and syslog are not searched.
  --last N  the newest N refusals and messages (default 20)
  --json    one JSON object a line: a refusal, or a line of the log
The exit status is 0 if something was found, 1 if not or if it cannot be read, 2 for a wrong call.
"""


def run(directory: str | None, args: list[str]) -> int:
    """Run the command."""
    try:
        options, words = gnu_getopt(args, "h", ["help", "json", "last="])
        chosen = dict(options)
        if "-h" in chosen or "--help" in chosen:
            print(_USAGE, end="")
            return 0
        wanted, most = _wanted(words), _number(chosen.get("--last", "20"))
    except (GetoptError, ValueError) as error:
        print(f"postroad trace: {error}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    return _trace(directory or "/etc/postfix", wanted, most, json="--json" in chosen)


def _wanted(words: list[str]) -> Wanted:
    from postroad.admin.trace import Wanted

    if len(words) != 1:
        raise ValueError("say what to look for")
    return Wanted.read(words[0])


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError(f"--last {text}: not a number")
    return int(text)


def _trace(directory: str, wanted: Wanted, most: int, *, json: bool) -> int:
    from pathlib import Path

    from postroad.admin.trace import log_lines, refusals_of, unsaid
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load
    from postroad.model.params import DATA_DIRECTORY, MAILLOG_FILE
    from postroad.store.refusals import newest, read_refusals

    config = load(directory, registry(), find_facts(directory))
    if not config.main:
        print(f"postroad trace: {directory}: there is no main.cf that could be read", file=sys.stderr)
        return 1
    settings = config.settings
    records: list[dict[str, Any]] = []
    lines: list[str] = []
    path = Path(settings[MAILLOG_FILE])
    unread = False
    try:
        records = newest(refusals_of(read_refusals(settings[DATA_DIRECTORY]), wanted), most)
    except OSError as error:
        unread = True
        print(f"postroad trace: {error.filename}: {error.strerror}", file=sys.stderr)
    try:
        if settings[MAILLOG_FILE] and path.is_file():
            lines = unsaid(log_lines(path, wanted, most), records)
    except OSError as error:
        unread = True
        print(f"postroad trace: {path}: {error.strerror}", file=sys.stderr)
    (_print_json if json else _print)(records, lines, str(path))
    if not records and not lines and not json:
        where = f" and in {path}" if path.is_file() else "; there is no log file (maillog_file) to look in"
        print(f"nothing about {wanted.kind} {wanted.text} in the records of refusals{where}")
    return 1 if unread or not (records or lines) else 0


def _print(records: list[dict[str, Any]], lines: list[str], log: str) -> None:
    from postroad.admin.explain import printable_lines
    from postroad.admin.trace import refusal_lines

    for record in records:
        print(printable_lines(refusal_lines(record)), end="")
    if lines:
        print(f"{log}:")
        print(printable_lines(f"  {line}" for line in lines), end="")


def _print_json(records: list[dict[str, Any]], lines: list[str], log: str) -> None:
    from json import dumps

    for record in records:
        print(dumps({"kind": "refusal", **record}))
    for line in lines:
        print(dumps({"kind": "log", "file": log, "line": line}))
