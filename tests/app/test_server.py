"""The life of one worker's server, in this process."""

import asyncio
import os
import socket
import ssl

import pytest
from cryptography import x509

from app.texts import MAIN, MASTER
from patience import until
from peers.certificates import self_signed
from peers.harness import free_port
from peers.tlsends import pem
from postroad.app.certificates import Certificates
from postroad.app.server import Server
from postroad.base.clock import SystemClock
from postroad.base.errors import ConfigurationError, PostroadError
from postroad.base.ids import id_of
from postroad.model.message import Message, Recipient, Text
from postroad.net.counts import make_table
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.lock import ShardLock
from postroad.store.shard import Shard

TEXT = b"Subject: x\r\n\r\nx\r\n"


class World:
    """What the supervisor would give to a worker, and a sender's view of it."""

    def __init__(self, place):
        self.place = place
        self.port = free_port()
        self.queue = place / "queue"
        self.queue.mkdir()
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.submit = socket.socket(socket.AF_UNIX)
        self.submit.bind(str(place / "submit"))
        self.submit.listen()
        self.counts = make_table(1)
        self.server = None

    def message(self, main="", master=""):
        texts = (
            f"queue_directory = {self.queue}\nmaillog_file = {self.place}/log\nminimal_backoff_time = 1h\n"
        )
        return {
            "worker": 0, "workers": 1, "helper": False, "directory": str(self.place),
            "main": MAIN + texts + main, "master": MASTER.format(port=self.port) + master,
            "listeners": [{"service": f"{self.port}/inet"}],
        }  # fmt: skip

    def fds(self):
        return [os.dup(self.listener.fileno())]

    async def start(self, main="", certificates=None):
        fds = [*self.fds(), os.dup(self.submit.fileno()), os.dup(self.counts)]
        self.told = []
        self.server = Server(*self.with_certificates(self.message(main), fds, certificates), self.told.append)
        await self.server.start()

    async def reload(self, main="", master="", certificates=None):
        message = {"verb": "reload"} | self.message(main, master)
        return await self.server.request(*self.with_certificates(message, self.fds(), certificates))

    @staticmethod
    def with_certificates(message, fds, certificates):
        if certificates is None:
            return message, fds
        return message | {"certificates": True}, [*fds, certificates.pack()]

    async def served(self):
        """Return the name in the certificate that a client is served."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await reader.readline()
        writer.write(b"STARTTLS\r\n")
        assert (await reader.readline()).startswith(b"220 ")
        await writer.start_tls(context)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()

    async def greeting(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        line = await reader.readline()
        writer.close()
        return line

    async def queued(self):
        return [message.key for message in await self.server._core.store.find()]

    def leave(self, shard, *keys, held=0):
        """Put messages into a shard that nobody serves."""
        store = Shard(self.queue / shard)
        changes = []
        for key in keys:
            # Not so old that it is returned after the first attempt.
            message = Message(key, "s@x.example", [Recipient("r@y.example")], SystemClock().now(), Text(TEXT))
            change = Change(lambda _error: None)
            change.row = (key, 1.0, "", held, pack(message))
            change.carry(message.content.data)
            changes.append(change)
        store.write(changes)
        store.close()

    def log(self):
        self.server.log.sink.flush()
        return (self.place / "log").read_text()


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    yield made
    if made.server is not None:
        await made.server.stop(1)
        asyncio.get_running_loop().set_exception_handler(None)
    made.listener.close()
    made.submit.close()
    os.close(made.counts)


async def test_it_serves_and_after_its_stop_it_does_not(world):
    await world.start("smtpd_banner = here\n")
    assert await world.greeting() == b"220 here\r\n"
    await world.server.stop(1)
    ShardLock(world.queue / "shard-0").close()  # nobody has it
    world.server = None


async def test_new_settings_are_in_force_after_a_reload(world):
    await world.start("smtpd_banner = one\n")
    assert await world.reload("smtpd_banner = two\n") == {}
    assert await world.greeting() == b"220 two\r\n"


async def test_settings_that_cannot_be_used_change_nothing_and_leak_no_socket(world):
    await world.start("smtpd_banner = one\n")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigurationError):
        await world.reload("smtpd_timeout = soon\n")
    assert len(os.listdir("/proc/self/fd")) == before
    assert await world.greeting() == b"220 one\r\n"


async def test_reloads_do_not_gather_descriptors(world):
    await world.start()
    await world.reload()
    await asyncio.sleep(0.05)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await world.reload()
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_a_session_of_former_settings_goes_on_and_ends_with_the_server(world):
    await world.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    await reader.readline()
    await world.reload()
    writer.write(b"NOOP\r\n")
    assert (await reader.readline()).startswith(b"250 ")
    await world.server.stop(2)
    assert (await reader.readline()).startswith(b"421 ")
    writer.close()
    with pytest.raises(PostroadError, match="the server stops"):
        await world.reload()
    world.server = None


async def test_shards_that_no_worker_owns_are_adopted_and_one_in_use_is_left(world):
    world.leave("shard-1", 7)
    world.leave("shard-2", 8)
    busy = ShardLock(world.queue / "shard-2")
    await world.start("defer_transports = smtp\n")
    assert await world.queued() == [7]
    assert not (world.queue / "shard-1").exists()
    assert "shard-2: cannot be taken over" in world.log()
    busy.close()


async def test_a_shard_that_a_dying_worker_still_has_is_waited_for(world):
    world.leave("shard-0")
    busy = ShardLock(world.queue / "shard-0")
    starting = asyncio.ensure_future(world.start())
    await asyncio.sleep(0.15)
    assert not starting.done()
    busy.close()
    await starting
    assert (await world.greeting()).startswith(b"220 ")


async def test_what_is_deleted_or_held_while_it_waits_is_not_delivered(world):
    world.leave("shard-0", 1, 2, 3, 4)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never greets
        await world.start(
            f"default_transport = smtp:[127.0.0.1]:{silent.getsockname()[1]}\n"
            "smtp_destination_concurrency_limit = 1\n"
        )
        scheduler = world.server._core.scheduler
        await until(lambda: len(scheduler) == 4)
        answer = await world.server.request({"verb": "delete", "ids": [id_of(2)]}, [])
        assert answer == {"changed": [id_of(2)]}
        await world.server.request({"verb": "hold", "ids": [id_of(3)]}, [])
        await until(lambda: len(scheduler) == 2)
        assert sorted(await world.queued()) == [1, 3, 4]
        [held] = list(await world.server._core.store.find([3]))
        assert held.held
        await world.server.stop(0.05)
        world.server = None


async def test_the_log_is_opened_again_and_a_failure_is_no_end(world):
    await world.start()
    (world.place / "log").rename(world.place / "log.1")
    world.server.reopen_log()
    assert (world.place / "log").exists()
    world.server.log.sink._path = str(world.place / "no/such/log")
    world.server.reopen_log()
    assert "the log file cannot be opened again" in (world.place / "log").read_text()


async def test_what_no_code_caught_is_logged_with_its_place(world):
    await world.start()
    asyncio.get_running_loop().call_soon(iter, 7)
    await until(lambda: "TypeError" in world.log())
    assert "unexpected: Exception in callback" in world.log()


# --- certificates

TLS = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /a.pem\n"


def given(name, path="/a.pem"):
    return Certificates({path: pem(self_signed(name))})


async def test_certificates_come_with_the_settings_and_later_ones_by_themselves(world):
    await world.start(TLS, given("one.test"))
    assert await world.served() == "CN=one.test"
    world.server.take_certificates(given("two.test").pack())
    assert await world.served() == "CN=two.test"
    assert await world.reload(TLS.replace("/a", "/b"), certificates=given("three.test", "/b.pem")) == {}
    assert await world.served() == "CN=three.test"
    assert "certificates" not in world.log()  # that the former settings' are not there is no matter


async def test_certificates_that_cannot_be_used_are_told_and_change_nothing(world):
    await world.start(TLS, given("one.test"))
    world.server.take_certificates(Certificates({"/a.pem": b"broken"}).pack())
    assert "warning: certificates: /a.pem: no private key and no certificate in PEM" in world.log()
    assert await world.served() == "CN=one.test"


async def test_a_reload_that_fails_keeps_the_former_certificates(world):
    await world.start(TLS, given("one.test"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await world.reload(TLS, certificates=given("two.test", "/other.pem"))
    assert await world.served() == "CN=one.test"
    assert set(world.server._keyring.certificates.files) == {"/a.pem"}
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        assert await world.reload(TLS, certificates=given("two.test")) == {}
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_without_certificates_a_service_that_wants_them_does_not_start(world):
    with pytest.raises(ConfigurationError, match="/a.pem: cannot be read"):
        await world.start(TLS)
    world.server = None
