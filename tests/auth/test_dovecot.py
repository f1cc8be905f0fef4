"""Dovecot's part played by a script, and by Dovecot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from itertools import count
from pathlib import Path

import pytest

from auth.conftest import a_session
from patience import LIMIT, until
from peers.harness import a_place
from peers.programs import dovecot_auth
from postroad.auth import dovecot as module
from postroad.auth.dovecot import DovecotAuth, Place, place_of
from postroad.auth.offer import Offer
from postroad.base.log import Log
from postroad.model.sasl import SaslState
from postroad.tables.context import TableContext

GREETING = b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tANON\tanonymous\nMECH\tDIGEST\tdictionary\nDONE\n"


class FakeDovecot:
    """A server on a UNIX socket: ``answer`` gives what follows a line; connections are counted."""

    def __init__(self, path):
        self.path = path
        self.greeting = GREETING
        self.lines: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.server: asyncio.Server | None = None

    def answer(self, line: bytes) -> bytes:
        fields = line.rstrip().split(b"\t")
        if fields[0] == b"AUTH":
            good = b"resp=AGpvZQBzZWNyZXQ=" in fields
            return b"OK\t%s\tuser=joe\n" % fields[1] if good else b"FAIL\t%s\tuser=joe\n" % fields[1]
        return b""

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        writer.write(self.greeting)
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.lines.append(line)
                writer.write(self.answer(line))

    async def start(self):
        self.server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self):
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()
        Path(self.path).unlink(missing_ok=True)
        await asyncio.sleep(0)


@pytest.fixture
def path(tmp_path):
    module._offers.clear()
    yield str(tmp_path / "auth")
    module._offers.clear()


@pytest.fixture
async def server(path):
    fake = FakeDovecot(path)
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def make(path, sink):
    made = []

    def one(place=None, options=("noanonymous",)):
        offer = Offer(options, ("noanonymous",), ("static:rest",), TableContext())
        auth = DovecotAuth(path, place or Place(path), "smtp", offer, Log(sink), asyncio.get_running_loop())
        made.append(auth)
        return auth

    yield one
    for auth in made:
        await auth.close()


async def attempt(auth, response=b"\0joe\0secret", session=None):
    return await auth.begin("PLAIN", session or a_session()).step(response)


async def test_the_offer_is_known_from_the_handshake(server, make):
    auth = make(options=("noanonymous", "nodictionary"))
    assert auth.mechanisms(tls=False) == ()
    await until(lambda: auth.mechanisms(tls=False))
    assert auth.mechanisms(tls=False) == ("PLAIN",)
    assert auth.mechanisms(tls=True) == ("PLAIN", "DIGEST")
    # After a reload there is something to offer at once.
    assert make().mechanisms(tls=True) == ("PLAIN", "DIGEST")


async def test_many_exchanges_on_one_connection(server, make):
    auth = make()
    right = [attempt(auth) for _ in range(50)]
    wrong = [attempt(auth, b"\0joe\0wrong") for _ in range(50)]
    steps = await asyncio.gather(*right, *wrong)
    assert [step.state for step in steps] == [SaslState.DONE] * 50 + [SaslState.FAILED] * 50
    assert {step.username for step in steps} == {"joe"}
    assert server.connections == 1
    assert len({line.split(b"\t")[1] for line in server.lines if line.startswith(b"AUTH")}) == 100


async def test_what_dovecot_is_told(server, make):
    auth = make()
    await attempt(auth, session=a_session("2001:db8::7", tls=True))
    assert server.lines[:2] == [b"VERSION\t1\t1\n", b"CPID\t%d\n" % os.getpid()]
    assert server.lines[2] == (
        b"AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.25\trip=2001:db8::7\tsecured\tresp=AGpvZQBzZWNyZXQ=\n"
    )


async def test_failures_and_what_they_say(server, make):
    auth = make()
    for answer, state, reason in (
        (b"FAIL\t%d\tuser=joe\treason=closed on Sundays\n", SaslState.FAILED, "closed on Sundays"),
        (b"FAIL\t%d\tuser=joe\tuser_disabled\tauthz\n", SaslState.FAILED, "authz, user_disabled"),
        (b"FAIL\t%d\tuser=joe\ttemp\n", SaslState.UNAVAILABLE, "Dovecot could not look"),
        (b"FAIL\t%d\tuser=joe\ttemp\treason=LDAP is down\n", SaslState.UNAVAILABLE, "LDAP is down"),
    ):
        server.answer = lambda line, answer=answer: (
            answer % int(line.split(b"\t")[1]) if line.startswith(b"AUTH") else b""
        )
        step = await attempt(auth)
        assert (step.state, step.username, step.reason) == (state, "joe", reason)


async def test_a_dialogue_and_a_client_that_gives_up(server, make):
    auth = make()
    server.answer = lambda line: (
        {b"AUTH": b"CONT\t%s\tPz8=\n", b"CONT": b"OK\t%s\tuser=ann\n"}.get(line.split(b"\t")[0], b"%.0s")
        % line.split(b"\t")[1]
    )
    exchange = auth.begin("DIGEST", a_session())
    assert (await exchange.step(None)).challenge == b"??"
    assert (await exchange.step(b"x")).username == "ann"
    assert (await exchange.step(b"x")).state is SaslState.FAILED
    other = auth.begin("DIGEST", a_session())
    await other.step(None)
    other.cancel()
    other.cancel()
    await until(lambda: b"CANCEL\t2\n" in server.lines)
    assert (await other.step(b"x")).state is SaslState.FAILED


async def test_a_client_that_is_gone_while_dovecot_thinks(server, make):
    auth = make()
    server.answer = lambda _line: b""
    exchange = auth.begin("PLAIN", a_session())
    step = asyncio.ensure_future(exchange.step(b"\0joe\0secret"))
    await until(lambda: any(line.startswith(b"AUTH") for line in server.lines))
    exchange.cancel()
    assert (await step).state is SaslState.UNAVAILABLE
    server.writers[0].write(b"OK\t1\tuser=joe\n")  # nobody's any more
    await until(lambda: b"CANCEL\t1\n" in server.lines)
    server.answer = FakeDovecot.answer.__get__(server)
    assert (await attempt(auth)).state is SaslState.DONE


async def test_a_response_too_long_hurts_nobody_else(server, make):
    auth = make()
    assert (await attempt(auth, b"x" * 9000)).state is SaslState.FAILED
    assert (await attempt(auth)).state is SaslState.DONE
    assert server.connections == 1


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xfe\n", b"OK\n", b"OK\t1\n", b"CONT\t1\t???\n", b"FAIL\tx\n", b"x" * 10000, b"OK\t1\tuser=\n"],
)
async def test_garbage_is_no_answer(server, make, garbage, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    auth = make()
    server.answer = lambda line: garbage if line.startswith(b"AUTH") else b""
    if garbage == b"\xff\xfe\n":  # not a reply that is known: nothing follows from it
        exchange = asyncio.ensure_future(attempt(auth))
        await until(lambda: len(server.lines) == 3)
        server.writers[0].transport.abort()
        step = await exchange
    else:
        step = await attempt(auth)
    assert step.state is SaslState.UNAVAILABLE
    server.answer = FakeDovecot.answer.__get__(server)
    await until(lambda: server.connections == 2)
    assert (await attempt(auth)).state is SaslState.DONE


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400\n", b"VERSION\t2\t0\nDONE\n", b"x" * 10000])
async def test_a_server_that_speaks_something_else(server, make, sink, greeting):
    server.greeting = greeting
    auth = make()
    step = await attempt(auth)
    assert step.state is SaslState.UNAVAILABLE
    assert step.reason == "Can't connect to authentication server"
    assert auth.mechanisms(tls=True) == ()
    (line,) = sink.lines
    assert line.startswith(f"smtpd: warning: SASL: Connect to Dovecot auth socket '{server.path}' failed: ")


async def test_no_server_and_then_one(path, make, sink, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.01)
    auth = make()
    for _ in range(3):
        step = await attempt(auth)
        assert step.state is SaslState.UNAVAILABLE
        await asyncio.sleep(0.02)
    (line,) = sink.lines  # not with each attempt
    assert line.endswith(f"auth socket '{path}' failed: No such file or directory")
    fake = FakeDovecot(path)
    await fake.start()
    await until(lambda: auth.mechanisms(tls=False))
    assert (await attempt(auth)).state is SaslState.DONE
    await fake.stop()
    assert (await attempt(auth)).state is SaslState.UNAVAILABLE
    assert auth.mechanisms(tls=False) == ("PLAIN", "DIGEST")  # what was last known


async def test_a_server_that_hangs(server, make, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_TIME", 0.05)
    auth = make()
    await until(lambda: auth.mechanisms(tls=False))
    server.answer = lambda _line: b""
    assert (await attempt(auth)).state is SaslState.UNAVAILABLE
    assert auth._connection is None  # it is not asked again
    assert (await attempt(auth)).state is SaslState.UNAVAILABLE


async def test_one_answer_that_does_not_come_hurts_nobody_else(server, make, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_TIME", 0.1)
    auth = make()
    server.answer = lambda line: b"" if b"\t1\tPLAIN" in line else FakeDovecot.answer.__get__(server)(line)
    slow = asyncio.ensure_future(attempt(auth))
    await until(lambda: len(server.lines) == 3)
    monkeypatch.setattr(module, "ANSWER_TIME", LIMIT)
    assert (await attempt(auth)).state is SaslState.DONE
    assert (await slow).state is SaslState.UNAVAILABLE
    assert server.connections == 1


async def test_a_handshake_that_does_not_end(server, make, sink, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_TIME", 0.05)
    server.greeting = b"VERSION\t1\t2\n"
    step = await attempt(make())
    assert step.state is SaslState.UNAVAILABLE
    assert sink.lines[0].endswith("failed: timed out")


async def test_the_end_leaves_nobody_waiting(server, make):
    auth = make()
    server.answer = lambda _line: b""
    steps = [asyncio.ensure_future(attempt(auth)) for _ in range(5)]
    await until(lambda: len(server.lines) == 7)
    await auth.close()
    assert {(await step).state for step in steps} == {SaslState.UNAVAILABLE}
    assert (await attempt(auth)).state is SaslState.UNAVAILABLE
    early = make()
    waiting = asyncio.ensure_future(attempt(early))
    await asyncio.sleep(0)
    await early.close()
    assert (await waiting).state is SaslState.UNAVAILABLE


async def test_tcp(make, path):
    fake = FakeDovecot(path)
    fake.server = await asyncio.start_server(fake._serve, "127.0.0.1", 0)
    port = fake.server.sockets[0].getsockname()[1]
    auth = make(place_of(f"inet:127.0.0.1:{port}", "/queue"))
    assert (await attempt(auth)).state is SaslState.DONE
    await auth.close()
    await fake.stop()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("private/auth", Place("/queue/private/auth")),
        ("unix:private/auth", Place("/queue/private/auth")),
        ("/run/dovecot/auth", Place("/run/dovecot/auth")),
        ("unix:/run/dovecot/auth", Place("/run/dovecot/auth")),
        ("inet:mx.example:12345", Place("", "mx.example", 12345)),
        ("inet:[::1]:12345", Place("", "::1", 12345)),
    ],
)
def test_places(text, place):
    assert place_of(text, "/queue") == place


@pytest.mark.parametrize("text", ["", "unix:", "inet:", "inet:host", "inet:host:port:x", "inet:host:99999"])
def test_what_is_no_place(text):
    with pytest.raises(ValueError):
        place_of(text, "/queue")


# --- the real one

USERS = {"joe": "{PLAIN}secret", "ann@example.org": "{PLAIN}pässword"}


@pytest.mark.peer
async def test_the_real_dovecot(make):
    module._offers.clear()
    strangers = (a_session(f"198.51.100.{number}") for number in count(1))
    with a_place() as place, dovecot_auth(place, place / "auth", USERS) as peer:
        auth = make(Place(str(place / "auth")))
        assert (await attempt(auth)).username == "joe"
        assert auth.mechanisms(tls=False) == ("PLAIN", "LOGIN", "CRAM-MD5"), peer.log()
        assert (await attempt(auth, "\0Ann@Example.org\0pässword".encode())).username == "ann@example.org"
        for response in (b"\0joe\0wrong", b"\0nobody\0secret", b"nonsense", b"\0joe\0"):
            # Dovecot keeps answers back from an address that fails often: up to 15 seconds.
            assert (await attempt(auth, response, next(strangers))).state is SaslState.FAILED
        exchange = auth.begin("LOGIN", a_session())
        assert (await exchange.step(None)).challenge == b"Username:"
        assert (await exchange.step(b"joe")).challenge == b"Password:"
        assert (await exchange.step(b"secret")).state is SaslState.DONE
        exchange = auth.begin("PLAIN", a_session())
        assert (await exchange.step(None)).challenge == b""
        assert (await exchange.step(b"\0joe\0secret")).state is SaslState.DONE
        await auth.close()


@pytest.mark.peer
async def test_dovecot_is_killed_and_comes_again_under_load(make, monkeypatch):
    module._offers.clear()
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.2)
    strangers = (a_session(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in count(1))
    seen: dict[bytes, set[SaslState]] = {b"secret": set(), b"wrong": set()}
    running = True

    async def client(password):
        while running:
            seen[password].add((await attempt(auth, b"\0joe\0" + password, next(strangers))).state)
            await asyncio.sleep(0.002)

    with a_place() as place:
        auth = make(Place(str(place / "auth")))
        with dovecot_auth(place, place / "auth", USERS):
            clients = [asyncio.ensure_future(client(word)) for word in seen for _ in range(10)]
            await until(lambda: SaslState.DONE in seen[b"secret"])
            await until(lambda: SaslState.FAILED in seen[b"wrong"])
            (process,) = children_of(os.getpid(), "auth")
            os.kill(process, signal.SIGKILL)
            await asyncio.sleep(0.1)
        assert (await attempt(auth)).state is SaslState.UNAVAILABLE
        seen[b"secret"].discard(SaslState.DONE)
        other = dovecot_auth(place, place / "auth", USERS)
        await asyncio.to_thread(other.__enter__)
        try:
            await until(lambda: SaslState.DONE in seen[b"secret"])
        finally:
            running = False
            await asyncio.gather(*clients)
            await auth.close()
            await asyncio.to_thread(other.__exit__, None, None, None)
    assert seen == {
        b"secret": {SaslState.DONE, SaslState.UNAVAILABLE},
        b"wrong": {SaslState.FAILED, SaslState.UNAVAILABLE},
    }


def children_of(parent: int, name: str) -> list[int]:
    """Return the processes of a name that descend from a process."""
    parents: dict[int, tuple[int, str]] = {}
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            before, _, rest = (each / "stat").read_text().rpartition(")")
            parents[int(each.name)] = (int(rest.split()[1]), before.partition("(")[2])

    def descends(pid: int) -> bool:
        while pid in parents:
            if pid == parent:
                return True
            pid = parents[pid][0]
        return False

    return [pid for pid, (_, comm) in parents.items() if comm == name and descends(pid)]
