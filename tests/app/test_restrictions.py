"""What Postfix 3.7.11 answered in tests/dialogues/restrictions, asked of a whole server without sockets.

``main:`` is a line of main.cf, ``file: NAME`` one of a table, ``dns: name TYPE data`` a record (SERVFAIL:
nobody can ask), ``policy: attribute=value ... -> action`` a rule of the policy server, the first that fits.
Each ``dialogue: ADDRESS title`` is a session of its own: ``C:`` sends a line and waits for its replies,
``P:``, ``D:`` and ``R:`` (raw) hold one back; ``S:`` is a reply's whole last line.  ``Q:`` are the messages then
in the queue, ``M:`` those of their header fields that ``show:`` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.texts import config_of
from postroad.app.build import build
from postroad.base.errors import LookupUnavailable
from postroad.net.answer import Answer

FILES = sorted((Path(__file__).parent.parent / "dialogues/restrictions").glob("*.restrict"))
MAIN = """\
mydomain = example.test
mydestination = $myhostname, localhost, $mydomain
inet_interfaces = 127.0.0.1, [::1], 203.0.113.25, [2001:db8::25]
inet_protocols = all
mynetworks = 127.0.0.0/8, [::1]/128
local_recipient_maps = inline:{alice=x, bob=x, carol=x, postmaster=x, abuse=x, root=x}
smtpd_error_sleep_time = 0
smtpd_peername_lookup = yes
"""
OURS = re.compile(r"(?<=queued as )\w+|(?<=ESMTP) .*")


class Dialogue:
    """One session: the client's address, what is sent and answered in turn, what is left in the queue."""

    def __init__(self, client: str, title: str) -> None:
        self.client, self.title = client, title
        self.steps: list[tuple[bytes, list[str]]] = [(b"", [])]
        self.queue: list[str] | None = None

    def add(self, kind: str, text: str, held: bytes) -> bytes:
        if kind in ("P", "D", "R"):
            line = text.encode().decode("unicode_escape").encode("latin-1")
            return held + (line if kind == "R" else line + b"\r\n")
        if kind == "C":
            line = re.sub(
                r"\\(x[0-9a-f]{2}|\\)", lambda m: chr(int(m[1][1:], 16)) if m[1] != "\\" else "\\", text
            )
            self.steps.append((held + line.encode() + b"\r\n", []))
            return b""
        if kind == "S":
            self.steps[-1][1].append(text)
        elif kind in ("Q", "M"):
            self.queue = [] if self.queue is None else self.queue
            self.queue += [] if text == "(empty)" else [f"{kind}: {text}"]
        else:
            raise AssertionError(f"{kind}: {text}")
        return held


class Script:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.main, self.show = MAIN, ()
        self.files: dict[str, str] = {}
        self.dns: dict[str, list[tuple[str, str]]] = {}
        self.rules: list[tuple[dict[str, str], str]] = []
        self.dialogues: list[Dialogue] = []
        held = b""
        for line in path.read_text().splitlines():
            kind, _, text = line.partition(":")
            text = text.removeprefix(" ")
            if kind == "dialogue":
                self.dialogues.append(Dialogue(*text.split(" ", 1)))
            elif self.dialogues and line:
                held = self.dialogues[-1].add(kind, text, held)
            elif line and not line.startswith("#"):
                getattr(self, f"read_{kind}")(text)

    def read_main(self, text: str) -> None:
        self.main += text + "\n"

    def read_show(self, text: str) -> None:
        self.show = tuple(text.lower().split(", "))

    def read_file(self, text: str) -> None:
        name, _, line = text.partition(" ")
        self.files[name] = self.files.get(name, "") + line + "\n"

    def read_dns(self, text: str) -> None:
        name, kind, *data = text.split(None, 2)
        with contextlib.suppress(ValueError):
            name = ipaddress.ip_address(name).reverse_pointer
        self.dns.setdefault(name, []).append((kind, *data, "")[:2])

    def read_policy(self, text: str) -> None:
        wanted, _, action = text.partition(" -> ")
        pairs = [] if wanted == "*" else [word.split("=", 1) for word in wanted.split()]
        self.rules.append((dict(pairs), action))


class Dns:
    """Knows the records of a script; all other names do not exist."""

    def __init__(self, records: dict[str, list[tuple[str, str]]]) -> None:
        self._records = records

    def _find(self, name: str, kind: str) -> Answer:
        name = name.lower().rstrip(".")
        records = self._records.get(name) or self._records.get("*." + name.partition(".")[2]) or ()
        if any(each == "SERVFAIL" for each, _ in records):
            raise LookupUnavailable(f"{name}: SERVFAIL")
        for each, data in records:
            if each == "CNAME":
                return self._find(data, kind)
        found = tuple(_record(each, data) for each, data in records if each == kind)
        below = any(known.endswith("." + name) for known in self._records)
        return Answer(name, kind, found, nxdomain=not records and not below)

    async def query(self, name: str, kind: str) -> Answer:
        return self._find(name, kind)

    async def mx(self, name: str) -> tuple:
        return self._find(name, "MX").records

    async def txt(self, name: str) -> tuple:
        return self._find(name, "TXT").records

    async def ptr(self, address: str) -> tuple:
        return self._find(ipaddress.ip_address(address).reverse_pointer, "PTR").records

    async def addresses(self, name: str, family: int = 0) -> tuple:
        kinds = {4: ("A",), 6: ("AAAA",)}.get(family, ("A", "AAAA"))
        return tuple(record for kind in kinds for record in self._find(name, kind).records)


def _record(kind: str, data: str) -> object:
    if kind == "MX":
        preference, host = data.split()
        return int(preference), host.rstrip(".")
    return data.encode() if kind == "TXT" else data


class Wire(asyncio.Transport):
    """The connection of a client with any address, in memory."""

    def __init__(self, client: str) -> None:
        own = "2001:db8::25" if ":" in client else "203.0.113.25"
        super().__init__({"peername": (client, 40000), "sockname": (own, 25)})
        self.said, self.closed = bytearray(), False

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def replies(self) -> list[str]:
        """Return the last lines of the replies that are whole; one of several lines as its first."""
        lines = bytes(self.said).decode().split("\r\n")[:-1]
        starts = [at for at in range(len(lines)) if at == 0 or lines[at - 1][3:4] == " "]
        whole = [at for at in starts if any(line[3:4] == " " for line in lines[at:])]
        return [OURS.sub("", lines[at][:3] + " " + lines[at][4:]) for at in whole]


@contextlib.asynccontextmanager
async def policy_server(rules: list[tuple[dict[str, str], str]]) -> Iterator[int]:
    """Answer as the rules say; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                text = (await reader.readuntil(b"\n\n")).decode()
                asked = dict(line.split("=", 1) for line in text.splitlines() if line)
                action = next(do for wanted, do in rules if wanted.items() <= asked.items())
                if action == "(hangup)":
                    break
                writer.write(f"action={action}\n\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def play(service, dialogue: Dialogue) -> None:
    """Hold one session, and compare each reply."""
    wire, connection = Wire(dialogue.client), service.protocol()
    connection.connection_made(wire)
    for sent, expected in dialogue.steps:
        closing = expected[-1:] == ["(closed)"]
        wanted = expected[:-1] if closing else expected
        if sent and not wire.closed:
            connection.data_received(sent)
        await said(wire, len(wanted), sent)
        assert (sent, wire.replies()) == (sent, wanted)
        assert wire.closed or not closing
        wire.said.clear()
    if not wire.closed:
        connection.eof_received()
    connection.connection_lost(None)


async def said(wire: Wire, count: int, sent: bytes) -> None:
    for _ in range(6000):
        if len(wire.replies()) >= count or wire.closed:
            return
        await asyncio.sleep(0.005 if _ > 20 else 0)
    raise AssertionError(f"no answer to {sent!r}: {wire.replies()}")


async def queue(store, show: tuple[str, ...]) -> list[str]:
    """Return the queue as ``Q:`` and ``M:`` say it, and empty it."""
    groups = []
    for message in await store.find():
        to = "".join(f" <{each}>" for each in sorted(each.address for each in message.recipients))
        filter_ = message.attributes.get("content_filter", "")
        state = "hold" if message.held else "queued"
        lines = [f"Q: {state} from=<{message.sender}>{to}" + (f" filter={filter_}" if filter_ else "")]
        header = b"".join(store.content(message).pieces()).partition(b"\r\n\r\n")[0].decode()
        lines += [f"M: {line}" for line in header.split("\r\n") if line.partition(":")[0].lower() in show]
        groups.append(lines)
    await store.delete(None)
    return [line for lines in sorted(groups) for line in lines]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_restrictions_answer_as_those_of_postfix(core, tmp_path, monkeypatch, path):
    script = Script(path)
    for name, text in script.files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr("postroad.app.build.open_resolver", lambda *_: Dns(script.dns))
    core.flush_site = lambda _site: True
    async with policy_server(script.rules) as port:
        places = {"127.0.0.1:10031": f"127.0.0.1:{port}", "$config_directory": str(tmp_path)}
        main = f"{script.main}queue_directory = {tmp_path}\n"
        for name, place in places.items():
            main = main.replace(name, place)
        stages = build(config_of(main, directory=str(tmp_path)), core)
        [service] = stages.services.values()
        for dialogue in script.dialogues:
            await play(service, dialogue)
            if dialogue.queue is not None:
                assert await queue(core.store, script.show) == dialogue.queue, dialogue.title
        service.retire()
        await stages.close_agents()
