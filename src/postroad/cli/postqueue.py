"""``postqueue`` and ``mailq``: list the queue, and flush it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.admin.queue import Listed
from postroad.base.errors import PostroadError
from postroad.base.params import Param, Settings
from postroad.cli.queue_tools import Ending, Tool, is_queue_id

if TYPE_CHECKING:
    from postroad.tables.context import TableContext

EX_UNAVAILABLE, EX_NOPERM = 69, 77
_USAGE = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site"
_HEADING = "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"
_REASON_END = 76  # the column where a reason's line ends
_SITE = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Za-z.:]+\]")


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; the exit status is 0, 69 for what cannot be done, 77 for what is not permitted."""
    tool = Tool("postqueue", EX_UNAVAILABLE)
    try:
        options, rest = tool.options(args, "c:fi:jps:v", _USAGE, directory)
        if len(options) != 1 or rest:
            tool.fatal(_USAGE)
        ((option, value),) = options
        if option in ("-p", "-j"):
            return _list(tool, option)
        return _flush(tool, option, value)
    except Ending as end:
        return end.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has seen enough
        return 0
    except PostroadError as error:
        tool.say(f"fatal: {error}")
        return EX_UNAVAILABLE


# --- listing


def _list(tool: Tool, option: str) -> int:
    from postroad.store.params import AUTHORIZED_MAILQ_USERS

    settings = tool.settings()
    _authorize(tool, settings, AUTHORIZED_MAILQ_USERS, "view")
    messages = _messages(tool, settings)
    lines = as_json(messages) if option == "-j" else as_text(messages)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    for line in lines:
        sys.stdout.write(line)
    sys.stdout.flush()
    return 0


def _messages(tool: Tool, settings: Settings) -> Iterator[Listed]:
    """Read the shards where we may, and ask the server where we may not."""
    from postroad.admin.queue import ask_queue, read_queue
    from postroad.app.params import CONTROL_SOCKET
    from postroad.model.params import QUEUE_DIRECTORY
    from postroad.net.control import NotRunning, is_listening

    queue_directory, control = Path(settings[QUEUE_DIRECTORY]), settings[CONTROL_SOCKET]
    if os.access(queue_directory, os.R_OK | os.W_OK | os.X_OK):
        if not is_listening(control):
            tool.say("warning: Mail system is down -- accessing queue directly")
        return read_queue(queue_directory)
    try:
        return ask_queue(control)
    except NotRunning as error:
        tool.fatal(f"Queue report unavailable - mail system is down ({error})")
    except PermissionError as error:
        tool.fatal(str(error), EX_NOPERM)


def as_json(messages: Iterable[Listed]) -> Iterator[str]:
    """Yield a line of JSON for each message, with Postfix's names in Postfix's order."""
    for message in messages:
        value = {
            "queue_name": message.queue_name,
            "queue_id": message.queue_id,
            "arrival_time": message.arrival_time,
            "message_size": message.message_size,
            "forced_expire": message.forced_expire,
            "sender": message.sender,
            "recipients": [
                {"address": r.address} | ({"delay_reason": r.delay_reason} if r.delay_reason else {})
                for r in message.recipients
            ],
        }
        yield json.dumps(value, ensure_ascii=False) + "\n"


def as_text(messages: Iterable[Listed]) -> Iterator[str]:
    """Yield the lines of the traditional list."""
    count = size = 0
    for message in messages:
        if not count:
            yield _HEADING + "\n"
        count += 1
        size += message.message_size
        yield from _entry(message)
        yield "\n"
    if count:
        yield f"-- {size // 1024} Kbytes in {count} Request{'' if count == 1 else 's'}.\n"
    else:
        yield "Mail queue is empty\n"


def _entry(message: Listed) -> Iterator[str]:
    status = {"active": "*", "hold": "!"}.get(message.queue_name, "") + "#" * message.forced_expire
    arrival = time.asctime(time.localtime(message.arrival_time))[:19]
    yield f"{message.queue_id + status:<17s} {message.message_size:8d} {arrival:>19s} {message.sender}\n"
    shown = ""
    for recipient in message.recipients:
        reason = recipient.delay_reason
        if shown and not reason:
            reason = "reason unavailable"
        if reason != shown:
            shown = reason
            yield f"{'':{max(_REASON_END - len(reason), 0)}}({reason})\n"
        yield f"{'':17s} {'':8s} {'':19s} {recipient.address}\n"


# --- flushing


def _flush(tool: Tool, option: str, value: str) -> int:
    from postroad.store.params import AUTHORIZED_FLUSH_USERS

    if option == "-i" and not is_queue_id(value):
        tool.fatal(f'Cannot flush queue ID - invalid name: "{value[:100]}{"..." * (len(value) > 100)}"')
    if option == "-s" and not _SITE.fullmatch(value):
        tool.fatal(
            f'Cannot flush mail queue - invalid destination: "{value[:100]}{"..." * (len(value) > 100)}"'
        )
    settings = tool.settings()
    _authorize(tool, settings, AUTHORIZED_FLUSH_USERS, "flush")
    if option == "-s":
        _check_site(tool, settings, value)
    _request(tool, settings, option, value)
    return 0


def _check_site(tool: Tool, settings: Settings, site: str) -> None:
    from postroad.store.params import FAST_FLUSH_DOMAINS
    from postroad.tables.matchlist import DomainList, parents_of

    parents = parents_of(settings, "fast_flush_domains")
    members = settings[FAST_FLUSH_DOMAINS]
    domains = DomainList(members, _context(tool, settings), parents=parents)
    if not asyncio.run(domains.matches(site)):
        tool.fatal(f'Flush service is not configured for destination "{site}"')


def _request(tool: Tool, settings: Settings, option: str, value: str) -> None:
    from postroad.admin.queue import request_of
    from postroad.app.params import CONTROL_SOCKET
    from postroad.net.control import NotRunning, ask

    ids = [value] if option == "-i" else None
    request = request_of("flush", ids, site=value if option == "-s" else "")
    try:
        answer = ask(settings[CONTROL_SOCKET], request)
    except NotRunning:
        tool.fatal("Cannot flush mail queue - mail system is down")
    if "error" in answer:
        tool.fatal(str(answer["error"]), int(answer.get("code", EX_UNAVAILABLE)))


def _authorize(tool: Tool, settings: Settings, param: Param[tuple[str, ...]], action: str) -> None:
    """End the command when this user is not on the list.  The server asks again, by itself."""
    from postroad.admin.users import is_authorized, user_name

    uid = os.getuid()
    if uid == 0 or settings[param] == ("static:anyone",):
        return
    if not asyncio.run(is_authorized(uid, param, settings, _context(tool, settings))):
        tool.fatal(f"User {user_name(uid)}({uid}) is not allowed to {action} the mail queue", EX_NOPERM)


def _context(tool: Tool, settings: Settings) -> TableContext:
    from postroad.tables.context import TableContext

    return TableContext(tool.directory, settings.texts)
