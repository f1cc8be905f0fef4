"""Looking at the queue and changing it, for the commands and for the worker that they ask.

A look reads the shards, with the server up or down.  A change goes through the control socket
while a server runs, and straight to the shards when none does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from postroad.base.errors import StoreUnavailable
from postroad.base.ids import id_of, key_of
from postroad.mail.address import split, to_external
from postroad.model.message import Content, Message
from postroad.model.queue import Store
from postroad.net.control import NotRunning, ask
from postroad.store.reader import ShardReader, shards
from postroad.store.shard import Shard

QUEUES = ("incoming", "active", "deferred", "hold")
VERBS = ("hold", "release", "requeue", "expire", "flush", "delete")
_PAGE = 250  # messages of one answer to "list", and of one look; others must not wait for them
_IDS = 20_000  # queue ids of one request


class ListedRecipient(msgspec.Struct, omit_defaults=True):
    """A recipient that still needs delivery, and why it is late."""

    address: str
    delay_reason: str = ""


class Listed(msgspec.Struct):
    """A message as lists show it; the names are those of ``postqueue -j``."""

    queue_name: str
    queue_id: str
    arrival_time: int
    message_size: int
    forced_expire: bool
    sender: str
    recipients: list[ListedRecipient]


def queue_of(message: Message) -> str:
    """Return the queue that a message would be in, were this Postfix."""
    if message.held:
        return "hold"
    if message.owner:
        return "active"
    return "deferred" if message.attempts else "incoming"


def listed(message: Message) -> Listed:
    """Return how lists show a message."""
    return Listed(
        queue_of(message),
        message.id,
        int(message.arrival),
        message.size,
        "expired" in message.attributes,
        _printable(to_external(message.sender)) or "MAILER-DAEMON",
        [
            ListedRecipient(to_external(_printable(r.address)), _printable(r.reason))
            for r in message.open_recipients()
        ],
    )


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


# --- looking


def read_queue(queue_directory: Path) -> Iterator[Listed]:
    """Yield every message of every shard, in order of arrival; few are in memory at a time.

    StoreUnavailable when a shard cannot be read.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(ShardReader(path))) for path in shards(queue_directory)]
        yield from map(listed, heapq.merge(*(each.each() for each in readers), key=attrgetter("key")))


def ask_queue(control_socket: str) -> Iterator[Listed]:
    """Ask the running server for its queue, a page at a time; the first is asked for at once.

    NotRunning, ControlFailed, PermissionError; while it is read ControlFailed, StoreUnavailable.
    """
    return _pages(control_socket, *_ask_page(control_socket, ""))


def _pages(control_socket: str, page: list[Listed], more: bool) -> Iterator[Listed]:
    yield from page
    while more and page:
        page, more = _ask_page(control_socket, page[-1].queue_id)
        yield from page


def _ask_page(control_socket: str, after: str) -> tuple[list[Listed], bool]:
    answer = ask(control_socket, {"verb": "list", "after": after})
    _refused(answer)
    page = msgspec.convert(answer.get("messages", []), list[Listed])
    return sorted(page, key=attrgetter("queue_id")), bool(answer.get("more"))


def find_message(queue_directory: Path, queue_id: str) -> tuple[Message, Content | None] | None:
    """Return a message and its content, None if it is not queued.  ValueError: that is no queue id."""
    key = key_of(queue_id)
    for directory in shards(queue_directory):
        reader = ShardReader(directory)
        try:
            for message in reader.find([key]):
                return message, reader.content(message)
        finally:
            reader.close()
    return None


# --- changing


def change(queue_directory: Path, control_socket: str, verb: str, ids: list[str] | None, *, now: float, queues: Iterable[str] = QUEUES, site: str = "") -> list[str]:  # fmt: skip  # noqa: E501
    """Do ``verb`` to messages, None for all, that are in one of ``queues``.  Returns the ids that changed.

    PermissionError when the server refuses it to us, ControlFailed, StoreUnavailable.
    """
    changed: list[str] = []
    parts = [None] if ids is None else [ids[at : at + _IDS] for at in range(0, len(ids), _IDS)]
    for part in parts:
        request = request_of(verb, part, queues, site)
        try:
            answer = ask(control_socket, request)
        except NotRunning:
            changed += change_directly(queue_directory, request, now)
        else:
            _refused(answer)
            changed += answer.get("changed", [])
    return changed


def request_of(verb: str, ids: list[str] | None, queues: Iterable[str] = QUEUES, site: str = "") -> dict[str, Any]:  # fmt: skip  # noqa: E501
    """Return the control socket's request for a change."""
    request: dict[str, Any] = {"verb": verb, "ids": "ALL" if ids is None else ids, "queues": list(queues)}
    return request | ({"site": site} if site else {})


def change_directly(queue_directory: Path, request: Mapping[str, Any], now: float) -> list[str]:
    """Do what ``request`` says to the shards of a server that is down.  ShardBusy when it is not."""
    verb, keys, select = _understood(request)
    changed = []
    for directory in shards(queue_directory):
        shard = Shard(directory)
        try:
            chosen = keys
            if select:
                with closing(ShardReader(directory)) as reader:
                    chosen = _chosen(reader.each() if keys is None else reader.find(keys), request)
            times = {"now": now} if verb in ("requeue", "flush") else {}
            changed += shard.operate(verb, chosen, **times)
        finally:
            shard.close()
    return [id_of(key) for key in sorted(changed)]


async def perform(store: Store, request: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Answer the control socket's request on one worker's store: a change, or ``list``.

    ValueError for a request that is none.
    """
    if request.get("verb") == "list":
        return await _page(store, str(request.get("after", "")))
    verb, keys, select = _understood(request)
    work = partial(getattr(store, verb), **({"now": now} if verb in ("requeue", "flush") else {}))
    if not select:
        return {"changed": [id_of(key) for key in await work(keys)]}
    if keys is not None:
        return {"changed": [id_of(key) for key in await work(_chosen(await store.find(keys), request))]}
    changed: list[int] = []
    after = -1
    while messages := await store.page("all", after=after, most=_PAGE):
        after = messages[-1].key
        if chosen := _chosen(messages, request):
            changed += await work(chosen)
    return {"changed": [id_of(key) for key in changed]}


async def _page(store: Store, after: str) -> dict[str, Any]:
    found = await store.page("all", after=key_of(after) if after else -1, most=_PAGE + 1)
    page = [msgspec.to_builtins(listed(message)) for message in found[:_PAGE]]
    return {"messages": page, "more": len(found) > _PAGE}


def merge(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Make one answer of those of all workers.  A page ends where the first of theirs ends."""
    answers = list(answers)
    merged: dict[str, Any] = {}
    errors = [str(answer["error"]) for answer in answers if "error" in answer]
    if errors:
        merged["error"] = "; ".join(errors)
    merged["changed"] = sorted(queue_id for answer in answers for queue_id in answer.get("changed", []))
    messages = [message for answer in answers for message in answer.get("messages", [])]
    if messages:
        ends = [answer["messages"][-1]["queue_id"] for answer in answers if answer.get("more")]
        merged["messages"] = [m for m in messages if not ends or m["queue_id"] <= min(ends)]
        merged["more"] = bool(ends)
    return merged


def _understood(request: Mapping[str, Any]) -> tuple[str, list[int] | None, bool]:
    """Return the verb, the keys, and whether the messages must be looked at to choose among them."""
    verb, ids = request.get("verb"), request.get("ids")
    queues = request.get("queues", QUEUES)
    if verb not in VERBS:
        raise ValueError(f"unknown request: {verb!r}")
    if not isinstance(queues, list | tuple) or not all(isinstance(name, str) for name in queues):
        raise ValueError("queues: expected a list of names")
    if ids == "ALL":
        keys = None
    elif isinstance(ids, list) and all(isinstance(queue_id, str) for queue_id in ids):
        keys = [key for key in map(_key, ids) if key is not None]
    else:
        raise ValueError('ids: expected "ALL" or a list of queue ids')
    return verb, keys, bool(_sites(request)) or not set(QUEUES) <= set(queues)


def _sites(request: Mapping[str, Any]) -> set[str]:
    """Return the domains that a change is about, of ``site`` or ``sites``; none for all."""
    several = request.get("sites")
    sites = several if isinstance(several, list) else [request.get("site")]
    return {str(site).lower() for site in sites if site}


def _key(queue_id: str) -> int | None:
    try:
        return key_of(queue_id)
    except ValueError:
        return None  # it names no message of ours


def _chosen(messages: Iterable[Message], request: Mapping[str, Any]) -> list[int]:
    queues = set(request.get("queues", QUEUES))
    sites = _sites(request)
    return [
        message.key
        for message in messages
        if queue_of(message) in queues
        and (not sites or any(split(r.address)[1].lower() in sites for r in message.open_recipients()))
    ]


def _refused(answer: Mapping[str, Any]) -> None:
    if "error" not in answer:
        return
    if answer.get("code") == 77:
        raise PermissionError(str(answer["error"]))
    raise StoreUnavailable(str(answer["error"]))
