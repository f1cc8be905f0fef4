import asyncio
import errno
import socket

import pytest

from postroad.delivery.smtp.dial import Dialer, _only, _reason, reach
from postroad.delivery.smtp.lane import Lane
from postroad.model.outcome import Outcome
from postroad.proto.client_values import Peer


async def test_the_connection_comes_from_the_configured_address(servers, post, job_of):
    server = await servers()
    seen = []
    answer = server._answer

    async def look(writer, line, verb):
        seen.append(writer.get_extra_info("peername")[0])
        return await answer(writer, line, verb)

    server._answer = look
    await post(server, smtp_bind_address="127.0.0.7").deliver(job_of())
    assert set(seen) == {"127.0.0.7"}


async def test_an_address_that_is_not_ours_is_noted_and_left(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_bind_address="192.0.2.99")
    assert (await made.deliver(job_of())).outcomes[0].status == "2.0.0"
    assert made.lines == ["smtp: warning: bind 192.0.2.99: Cannot assign requested address"]


async def test_an_address_that_is_not_ours_defers_when_enforced(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_bind_address="192.0.2.99", smtp_bind_address_enforce="yes")
    assert await made.texts(job_of()) == [("4.4.0", "server configuration error")]
    assert server.connections == 0


async def test_a_connection_that_takes_too_long_is_timed_out(post, job_of):
    made = post()
    context = made.agent._context
    dialer = Dialer(context)
    dialer._timeout = 0.05
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            outcome = await dialer.connect(Peer("slow", "127.0.0.1", port), Lane("x"))
    assert isinstance(outcome, Outcome)
    assert outcome.text == f"connect to slow[127.0.0.1]:{port}: Connection timed out"


class Distant(socket.socket):
    """A socket whose peer answers a little later."""

    def connect_ex(self, _address):
        return errno.EINPROGRESS


async def test_a_distant_host_is_waited_for():
    near, far = socket.socketpair()
    with Distant(fileno=near.detach()) as sock, far:
        await reach(asyncio.get_running_loop(), sock, ("192.0.2.1", 25), 5)
        far.send(b"x")
        assert sock.recv(1) == b"x"


async def test_a_refusal_is_an_error_however_it_comes():
    loop = asyncio.get_running_loop()
    with socket.socket() as free, socket.socket() as sock:
        free.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        with pytest.raises(ConnectionRefusedError):
            await reach(loop, sock, free.getsockname(), 5)


async def test_a_path_whose_server_is_too_busy_is_an_error(tmp_path):
    loop, path = asyncio.get_running_loop(), str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with socket.socket(socket.AF_UNIX) as second:
            second.setblocking(False)
            with pytest.raises(BlockingIOError):
                await reach(loop, second, path, 5)


async def test_ipv6_is_spoken(servers, post, job_of):
    server = await servers()
    server.stop()
    server.address = "::1"
    await server.start()
    job = await post(server).deliver(job_of())
    assert job.outcomes[0].relay == f"there.example[::1]:{server.port}"


async def test_a_path_that_is_too_long_is_deferred(post, job_of, tmp_path):
    made = post(program="lmtp", queue_directory=str(tmp_path))
    ((status, text),) = await made.texts(job_of(nexthop="unix:" + "x" * 200))
    assert status == "4.4.1"
    assert text.endswith("AF_UNIX path too long")


@pytest.mark.parametrize(
    ("own", "version", "address"),
    [
        (["192.0.2.1", "2001:db8::1"], 4, "192.0.2.1"),
        (["192.0.2.1", "2001:db8::1"], 6, "2001:db8::1"),
        (["192.0.2.1", "192.0.2.2"], 4, ""),
        (["127.0.0.1"], 4, ""),
        ([], 6, ""),
    ],
)
def test_the_only_address_of_this_system_is_where_mail_comes_from(own, version, address):
    assert _only(own, version) == address


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (TimeoutError(), "Connection timed out"),
        (OSError(113, "?"), "No route to host"),
        (OSError("odd"), "odd"),
    ],
)
def test_failures_are_told_in_the_systems_words(error, text):
    assert _reason(error) == text
