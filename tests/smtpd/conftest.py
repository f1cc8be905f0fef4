"""A service on a loopback socket, with a policy and an intake that the test controls."""

from __future__ import annotations

import asyncio
import socket

import pytest

from peers.certificates import self_signed
from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.base.wheel import Wheel
from postroad.model import params as model
from postroad.model.reply import Reply
from postroad.net.tls import params as tls_params
from postroad.net.tls.server import ServerTls
from postroad.smtpd import params as smtpd
from postroad.smtpd.given import Means, Neighbours
from postroad.smtpd.guests import Places
from postroad.smtpd.service import SmtpdService
from postroad.tables import params as tables_params
from postroad.tables.context import TableContext

BASE = {
    "myhostname": "mx.example.test",
    "mail_name": "Postfix",
    "syslog_name": "postfix",
    "mynetworks": "192.0.2.0/24",
    "append_dot_mydomain": "no",
    "smtputf8_enable": "yes",
    "smtpd_hard_error_limit": "20",
    "smtpd_junk_command_limit": "100",
    "smtpd_timeout": "300s",
    "smtpd_per_request_deadline": "no",
    "smtpd_error_sleep_time": "0s",
    "smtpd_client_event_limit_exceptions": "",
    "smtpd_forbidden_commands": "CONNECT GET POST",
    "mynetworks_default": "",
    "smtpd_starttls_timeout": "300s",
    "smtpd_tls_fingerprint_digest": "sha256",
}


def settings(**texts):
    groups = [model.params, smtpd.params, tables_params.params, tls_params.params]
    return settings_of(groups, **(BASE | texts))


class FakePolicy:
    """Accepts all but what ``replies`` has for a stage; ``gate`` makes it wait."""

    def __init__(self):
        self.replies = {}
        self.asked = []
        self.gate = None
        self.error = None

    async def _say(self, stage, *words):
        self.asked.append((stage, *words))
        if self.gate is not None:
            await self.gate
        if self.error is not None:
            raise self.error
        return self.replies.get((stage, *words)) or self.replies.get(stage)

    async def connect(self, session):
        return await self._say("connect")

    async def helo(self, session):
        return await self._say("helo", session.helo)

    async def mail(self, session):
        return await self._say("mail", session.transaction.sender)

    async def recipient(self, session, address):
        return await self._say("recipient", address)

    async def data(self, session):
        return await self._say("data")

    async def end_of_data(self, session, size):
        return await self._say("end", size)

    async def routing(self, session, address):
        return await self._say("routing", address)

    async def verify(self, session, address):
        return await self._say("verify", address)

    async def etrn(self, session, domain):
        return await self._say("etrn", domain)


class FakeReceiver:
    def __init__(self, intake, session):
        self.intake, self.session = intake, session
        self.pieces = []
        self.aborted = False

    def feed(self, data):
        self.pieces.append(data)

    def commit(self, then):
        self.intake.committed.append(self)
        if self.intake.held is not None:
            self.intake.held.append(then)
        else:
            then(self.intake.reply)

    def abort(self):
        self.aborted = True

    @property
    def text(self):
        return b"".join(self.pieces)


class FakeIntake:
    def __init__(self):
        self.receivers = []
        self.committed = []
        self.held = None
        self.reply = Reply(250, "2.0.0", "Ok: queued as 0000000000000AB")

    def open(self, session):
        session.transaction.queue_key = 0xAB
        self.receivers.append(FakeReceiver(self, session))
        return self.receivers[-1]


class Stand:
    """The service under test."""

    def __init__(self, loop):
        self.loop = loop
        self.policy = FakePolicy()
        self.intake = FakeIntake()
        self.sink = ListSink()
        self.wheel = Wheel(loop)
        self.clock = TestClock()
        self.servers = []
        self.service = None

    def make(
        self,
        *,
        local=False,
        limit=0,
        on_full=None,
        identify=None,
        has_space=None,
        name="smtp",
        pair=None,
        sni=None,
        authenticator=None,
        **texts,
    ):
        """``pair`` is the server's certificate, ``sni`` has those of further names; ``authenticator`` knows users."""
        more = {"has_space": has_space} if has_space else {}
        if pair is not None:
            texts |= {"smtpd_tls_cert_file": "/cert", "smtpd_tls_key_file": "/key"}
            files = {"/cert": pair.certificate_pem, "/key": pair.key_pem}
            mandatory = "may" not in texts.values()
            more["tls"] = ServerTls(settings(**texts), files, sni or {}, mandatory=mandatory)
        policy = None if local else self.policy
        neighbours = Neighbours(
            intake=self.intake, policy=policy, identify=identify, authenticator=authenticator, **more
        )
        places = Places(limit=limit, **({"on_full": on_full} if on_full else {}))
        self.service = SmtpdService(settings(**texts), self.means, neighbours, places, local=local, name=name)
        return self.service

    @property
    def means(self):
        log = Log(self.sink, pid=7)
        return Means(log=log, clock=self.clock, wheel=self.wheel, loop=self.loop, tables=TableContext())

    async def serve(self, **options):
        service = self.service or self.make(**options)
        server = await self.loop.create_server(service.protocol, "127.0.0.1", 0)
        self.servers.append(server)
        return server.sockets[0].getsockname()[1]

    @property
    def log(self):
        return self.sink.lines


class Peer:
    """A client that reads whole replies."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def reply(self):
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 30)).decode()
            if not line:
                return "(closed)"
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    async def send(self, text):
        self.writer.write(text if isinstance(text, bytes) else text.encode())
        await self.writer.drain()

    async def ask(self, *commands):
        """Send each command in turn; return the last reply."""
        reply = ""
        for command in commands:
            await self.send(command + "\r\n")
            reply = await self.reply()
        return reply

    async def rest(self):
        """Return all bytes until the end, b"" when it ends with a reset."""
        try:
            return await asyncio.wait_for(self.reader.read(), 30)
        except ConnectionResetError:
            return b""

    async def close(self):
        self.writer.close()
        with __import__("contextlib").suppress(OSError):
            await self.writer.wait_closed()

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@pytest.fixture(scope="session")
def pair():
    """The server's certificate."""
    return self_signed("mx.example.test")


@pytest.fixture
async def stand():
    made = Stand(asyncio.get_running_loop())
    yield made
    for server in made.servers:
        server.close()
    if made.service is not None:
        await made.service.drain(0)
        for _ in range(3):
            await asyncio.sleep(0)
