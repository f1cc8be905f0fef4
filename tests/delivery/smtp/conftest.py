"""A server that follows a script, and an agent to try on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from postroad.base.clock import SystemClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.base.wheel import Wheel
from postroad.delivery.smtp import params as smtp_params
from postroad.delivery.smtp.agent import SmtpAgent
from postroad.delivery.smtp.filtered import reply_filter
from postroad.delivery.smtp.logins import open_logins
from postroad.delivery.smtp.security import Security
from postroad.delivery.smtp.tls_engine import TlsEngine
from postroad.delivery.smtp.tls_policy import TlsPolicies
from postroad.model import params as model_params
from postroad.model.job import Job
from postroad.model.message import Message, Recipient, Text
from postroad.net import params as net_params
from postroad.net.mailhosts import Host, NoHosts
from postroad.net.tls import params as net_tls_params
from postroad.tables import params as table_params
from postroad.tables.context import TableContext

CONTENT = b"Subject: hello\r\n\r\nbody\r\n.dot\r\n"
HOSTNAME = "mx.example.test"

#: What a usual server says; a test replaces single answers.
ANSWERS = {
    "": "220 there.example ESMTP",
    "EHLO": "250-there.example\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250 SMTPUTF8",
    "LHLO": "250-there.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES",
    "HELO": "250 there.example",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 End data with <CR><LF>.<CR><LF>",
    ".": "250 2.0.0 Ok: queued as 12345",
    "RSET": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
}


class Server:
    """Answers each command from ``answers``: text, a list that is used up, None to hang up, ... for silence.

    A key of ``answers`` may be a verb or a whole line.  ``log`` has what the client said,
    ``messages`` the contents as they came.
    """

    def __init__(self, **answers):
        self.answers = dict(ANSWERS)
        self.log: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.most = 0
        self.port = 0
        self.address = "127.0.0.1"
        self.lmtp = False
        self.delay = 0.0
        self.read_content = True
        self._server = None

    def says(self, **answers):
        for verb, answer in answers.items():
            self.answers[{"greeting": "", "dot": "."}.get(verb, verb)] = answer
        return self

    async def start(self, path=None):
        if path is not None:
            self._server = await asyncio.start_unix_server(self._serve, path)
        else:
            self._server = await asyncio.start_server(self._serve, self.address, 0)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self):
        self._server.close()

    def host(self, **more):
        return Host(more.pop("name", "there.example"), self.address, self.port, **more)

    @property
    def named(self):
        return f"there.example[{self.address}]"

    @property
    def relay(self):
        return f"{self.named}:{self.port}"

    def verbs(self):
        return [line.partition(" ")[0] for line in self.log]

    async def _serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _converse(self, reader, writer):
        accepted = 0
        if not await self._answer(writer, "", ""):
            return
        while line := (await reader.readline()).decode("utf-8", "surrogateescape"):
            line = line.removesuffix("\r\n")
            self.log.append(line)
            verb = line.partition(" ")[0]
            reply = await self._answer(writer, line, verb)
            if not reply:
                return
            if verb in {"RSET", "MAIL"}:
                accepted = 0
            if verb == "RCPT" and reply.startswith("2"):
                accepted += 1
            if verb == "DATA" and reply.startswith("354"):
                if not self.read_content:
                    await asyncio.sleep(3600)
                content = bytearray()
                while content != b".\r\n" and content[-5:] != b"\r\n.\r\n":
                    content += await reader.readline()
                    if reader.at_eof():
                        return
                self.messages.append(bytes(content))
                self.log.append(".")
                for _ in range(accepted if self.lmtp else 1):
                    if not await self._answer(writer, ".", "."):
                        return
            if verb == "QUIT":
                return

    async def _answer(self, writer, line, verb):
        answer = self.answers.get(line, self.answers.get(verb, "500 5.5.2 what?"))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if self.delay:
            await asyncio.sleep(self.delay)
        if answer is None:
            return ""
        if answer is ...:
            await asyncio.sleep(3600)
        data = answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        writer.write(data)
        await writer.drain()
        return data.decode("utf-8", "replace") or " "


def make_job(*addresses, sender="alice@example.test", content=CONTENT, nexthop="dest.example", key=0x123):
    content = Text(content) if isinstance(content, bytes) else content
    recipients = [Recipient(a) for a in addresses or ("bob@dest.example",)]
    message = Message(key, sender, recipients, 1_700_000_000.0, content)
    return Job(message, recipients, "smtp", nexthop, content)


class ImpatientWheel(Wheel):
    """Looks at deadlines every few milliseconds."""

    TICK = 0.01


@dataclass
class Post:
    """An agent, its log, and the hosts its next hops lead to."""

    agent: SmtpAgent
    lines: list[str]
    hosts: dict[str, object] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)

    async def deliver(self, job):
        done = asyncio.get_running_loop().create_future()
        self.agent.deliver(job, done.set_result)
        return await asyncio.wait_for(done, 30)

    async def texts(self, job):
        return [(o.status, o.text) for o in (await self.deliver(job)).outcomes]


@pytest.fixture
def job_of():
    return make_job


def settings(**texts):
    texts = {"myhostname": HOSTNAME, "append_dot_mydomain": "no", "smtputf8_enable": "yes"} | texts
    groups = [model_params, smtp_params, net_params, net_tls_params, table_params]
    return settings_of([group.params for group in groups], **texts)


def secure(made, program, log, clock, *, files, dane, table_clock=None):
    """Return what is asked of connections under these settings."""

    def warn(text):
        log.warning(program, text)

    tables = TableContext(texts=made.texts, warn=warn, clock=table_clock or clock)
    return Security(
        made,
        program,
        policies=TlsPolicies(made, program, tables, warn),
        engine=TlsEngine(made, program, files, clock.steady),
        dane=dane,
        logins=open_logins(made, program, tables, clock),
        warn=warn,
    )


@pytest.fixture
async def servers():
    started = []

    async def start(*, path=None, **answers):
        server = await Server().says(**answers).start(path)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def post():
    posts = []

    def make(
        *servers,
        program="smtp",
        hosts=None,
        timeouts=None,
        files=None,
        dane=None,
        table_clock=None,
        look_up_reply=None,
        **texts,
    ):
        sink = ListSink()
        loop = asyncio.get_running_loop()
        made = None

        async def look_up(nexthop):
            made.looked_up.append(nexthop)
            found = made.hosts.get(nexthop, [])
            if isinstance(found, Exception):
                raise found
            if not found:
                raise NoHosts("5.4.4", f"Name service error for name={nexthop}")
            return found

        chosen, log, clock = settings(**texts), Log(sink), SystemClock()
        agent = SmtpAgent(
            chosen,
            transport=program,
            program=program,
            hosts=look_up,
            log=log,
            clock=clock,
            wheel=ImpatientWheel(loop),
            loop=loop,
            security=secure(
                chosen, program, log, clock, files=files or {}, dane=dane, table_clock=table_clock
            ),
            reply_filter=look_up_reply or reply_filter(chosen, program, TableContext(texts=chosen.texts)),
        )
        for stage, seconds in (timeouts or {}).items():
            agent._context.timeouts[stage] = seconds
        made = Post(agent, sink.lines)
        made.hosts["dest.example"] = (
            hosts if hosts is not None else [s.host(preference=n) for n, s in enumerate(servers)]
        )
        posts.append(made)
        return made

    yield make
    for made in posts:
        await made.agent.close()
    await asyncio.sleep(0)
