"""Connections to real sockets, whose other ends do as a test says."""

import asyncio
import contextlib

import pytest

from filters.conftest import settings
from patience import until
from postroad.filters import proxylink as module
from postroad.filters.proxylink import QUIT, ProxyError, ProxyLink, dial, read_spec
from postroad.model.params import QUEUE_DIRECTORY


@pytest.mark.parametrize(
    ("text", "host", "port", "path"),
    [
        ("127.0.0.1:10025", "127.0.0.1", "10025", ""),
        ("inet:filter.example:smtp", "filter.example", "smtp", ""),
        ("[::1]:25", "::1", "25", ""),
        (":10025", "localhost", "10025", ""),
        ("10025", "localhost", "10025", ""),
        ("inet:10025", "localhost", "10025", ""),
        ("unix:private/filter", "", "", "/q/private/filter"),
        ("unix:/run/filter", "", "", "/run/filter"),
    ],
)
def test_where_a_filter_is(text, host, port, path):
    spec = read_spec(text, "/q")
    assert (spec.name, spec.host, spec.port, spec.path) == (text, host, port, path)


@pytest.mark.parametrize("text", ["unix:", "a:b:c", "[::1]", "host:", "inet:"])
def test_what_is_no_place(text):
    with pytest.raises(ValueError, match="bad smtpd_proxy_filter"):
        read_spec(text, "/q")


class Far:
    """A server that says ``greeting``; the test reads and writes its first connection."""

    def __init__(self, greeting):
        self.greeting = greeting
        self.came = asyncio.Event()

    async def __call__(self, reader, writer):
        self.reader, self.writer = reader, writer
        writer.write(self.greeting)
        self.came.set()
        with contextlib.suppress(OSError):
            await writer.drain()


@pytest.fixture
async def linked(bench):
    async def make(greeting=b"220 here\r\n", limit=5.0):
        far = Far(greeting)
        server = await asyncio.start_server(far, "127.0.0.1", 0)
        bench.stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        link = ProxyLink(read_spec(f"127.0.0.1:{port}", "/"), limit, bench.wheel, bench.loop)
        bench.stack.callback(link.close)
        await dial(link, 5, bench.loop)
        await far.came.wait()
        bench.stack.callback(far.writer.transport.abort)
        return link, far

    return make


async def test_a_command_has_its_reply(linked):
    link, far = await linked()
    assert (await link.ask(b"")).text == "220 here"
    asked = asyncio.ensure_future(link.ask(b"NOOP\r\n"))
    assert await far.reader.readline() == b"NOOP\r\n"
    far.writer.write(b"250-one\r\n250 ")
    await asyncio.sleep(0.01)
    far.writer.write(b"two\r\n")
    assert (await asked).text == "250-one 250 two"


@pytest.mark.parametrize("early", [b"250 Ok\r\n", b"250 half"])
async def test_what_was_said_before_it_was_asked_is_no_reply(linked, early):
    link, far = await linked()
    await link.ask(b"")
    far.writer.write(early)
    await until(lambda: link._parser.pending)
    with pytest.raises(ProxyError, match="received garbage from proxy 127.0.0.1:"):
        await link.ask(b"DATA\r\n")


async def test_a_refusal_that_comes_early_can_be_read(linked):
    link, far = await linked()
    await link.ask(b"")
    assert link.early() is None
    far.writer.write(b"552 too big\r\n")
    while (reply := link.early()) is None:
        await asyncio.sleep(0.005)
    assert reply.code == 552
    assert link.early() is None


async def test_garbage_and_a_lost_connection_and_silence(linked, bench):
    link, far = await linked(b"hello there\r\n")
    with pytest.raises(ProxyError, match="received garbage from proxy .*: hello there"):
        await link.ask(b"")
    link, far = await linked(b"")
    asked = asyncio.ensure_future(link.ask(b""))
    await asyncio.sleep(0)
    far.writer.transport.abort()
    with pytest.raises(ProxyError, match="lost connection with proxy 127.0.0.1:"):
        await asked
    with pytest.raises(ProxyError, match="lost connection"):
        await link.ask(b"NOOP\r\n")
    link, far = await linked(b"")
    asked = asyncio.ensure_future(link.ask(b""))
    await asyncio.sleep(0)
    assert link.deadline <= bench.loop.time() + 5
    link.expired()
    with pytest.raises(ProxyError, match="timeout talking to proxy 127.0.0.1:"):
        await asked


async def test_one_that_speaks_without_an_end_is_given_up(linked):
    link, far = await linked(b"")
    far.writer.write(b"x" * (1 << 20))
    while link._failure is None:
        await asyncio.sleep(0.005)
    assert "received garbage" in str(link._failure)
    assert link.early() is None


async def test_a_filter_that_does_not_read_is_waited_for_and_then_given_up(linked, bench):
    link, far = await linked()
    await link.ask(b"")
    told = []
    link.on_room = lambda: told.append(True)
    while not link.blocked:
        link.write(b"x" * 65536)
    assert link.deadline <= bench.loop.time() + 5
    waited = asyncio.ensure_future(link.drain())
    await asyncio.sleep(0.01)
    assert not waited.done()
    reading = asyncio.ensure_future(far.reader.read(-1))
    await waited
    assert told
    assert not link.blocked
    assert link.deadline > bench.loop.time() + 60  # nobody waits for it now
    link.close()
    with contextlib.suppress(ConnectionError):
        await reading
    with pytest.raises(ProxyError):
        await link.drain()


async def test_leave_is_taken_or_the_connection_is_cut(linked):
    link, far = await linked()
    await link.ask(b"")
    link.close(QUIT)
    assert await far.reader.read() == b"QUIT\r\n"
    link.write(b"more")
    link.close()


async def test_why_a_filter_cannot_be_reached(bench, tmp_path, monkeypatch):
    async def reason(text):
        link = ProxyLink(read_spec(text, str(tmp_path)), 5, bench.wheel, bench.loop)
        with pytest.raises(ProxyError) as failed:
            await dial(link, 5, bench.loop)
        return str(failed.value)

    assert await reason("127.0.0.1:1") == "connect to proxy filter 127.0.0.1:1: Connection refused"
    assert (await reason("unix:gone")).endswith("unix:gone: No such file or directory")
    assert "nosuchservice" in await reason("127.0.0.1:nosuchservice")

    async def never(*args, **rest):
        await asyncio.sleep(60)

    monkeypatch.setattr(bench.loop, "create_connection", never)
    link = ProxyLink(read_spec("127.0.0.1:1", "/"), 5, bench.wheel, bench.loop)
    with pytest.raises(ProxyError, match="Connection timed out"):
        await dial(link, 0.01, bench.loop)


async def test_sockets_below_the_queue_directory(bench, tmp_path):
    far = Far(b"220 here\r\n")
    server = await asyncio.start_unix_server(far, str(tmp_path / "filter"))
    bench.stack.callback(server.close)
    queue = settings(queue_directory=str(tmp_path))[QUEUE_DIRECTORY]
    link = ProxyLink(read_spec("unix:filter", queue), 5, bench.wheel, bench.loop)
    bench.stack.callback(link.close)
    await dial(link, 5, bench.loop)
    assert (await link.ask(b"")).code == 220
    far.writer.transport.abort()
    assert module.QUIT == QUIT


async def test_one_that_is_reached_too_late_is_left_at_once(bench):
    far = Far(b"220 here\r\n")
    server = await asyncio.start_server(far, "127.0.0.1", 0)
    bench.stack.callback(server.close)
    name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    link = ProxyLink(read_spec(name, "/"), 5, bench.wheel, bench.loop)
    link.close()
    await dial(link, 5, bench.loop)
    await far.came.wait()
    with contextlib.suppress(ConnectionError):
        assert await far.reader.read() == b""
    assert not bench.wheel._members
    with pytest.raises(ProxyError):
        await link.ask(b"")
    far.writer.transport.abort()
