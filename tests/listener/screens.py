"""A postscreen service without sockets, for the tests of what it is made of."""

from __future__ import annotations

import asyncio
import itertools

from patience import LIMIT
from postroad.app.registry import registry
from postroad.base.clock import SystemClock
from postroad.base.errors import LookupUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.base.wheel import Wheel
from postroad.listener.postscreen import Means, Postscreen
from postroad.net.answer import Answer
from postroad.smtpd.limits import LocalCounts
from postroad.tables.context import TableContext

WAIT = 0.03
CLIENT = ("192.0.2.9", 4000)
OWN = ("203.0.113.1", 25)
PLACE = "[192.0.2.9]:4000"


class Transport:
    """What a client sends and hears, without a socket."""

    def __init__(self, peer=CLIENT, own=OWN):
        self._known = {"peername": peer, "sockname": own}
        self.protocol = None
        self.written = b""
        self.closed = self.aborted = self.paused = False

    def get_extra_info(self, name, default=None):
        return self._known.get(name, default)

    def write(self, data):
        assert not self.closed
        self.written += bytes(data)

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = self.aborted = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def set_protocol(self, protocol):
        self.protocol = protocol

    # -- for the tests

    def send(self, data):
        assert not self.paused
        self.protocol.data_received(data)

    def lose(self):
        self.protocol.connection_lost(None)

    def take(self):
        """Return what was said since the last time, a line each."""
        text, self.written = self.written.decode(), b""
        return text.split("\r\n")[:-1]


class Session(asyncio.Protocol):
    """Stands for a session with smtpd."""

    def __init__(self):
        self.transport = None
        self.heard = b""
        self.ended = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.heard += data

    def eof_received(self):
        self.ended = True
        return False


class Target:
    """Stands for an smtpd service."""

    def __init__(self):
        self.sessions = []
        self.waiting = 0

    def protocol(self):
        self.sessions.append(Session())
        return self.sessions[-1]


class Resolver:
    """Answers from a dict: name to addresses, None for no answer."""

    def __init__(self, records):
        self.records = records
        self.asked = []
        self.held = None

    async def query(self, name, kind):
        self.asked.append((name, kind))
        if self.held is not None:
            await self.held.wait()
        await asyncio.sleep(0)
        records = self.records.get(name, ())
        if records is None:
            raise LookupUnavailable(f"no answer for {name}")
        return Answer(name, kind, tuple(records), 600)


class World:
    """A service; ``settings`` are postscreen's parameters without their prefix."""

    _numbers = itertools.count()

    def __init__(
        self,
        path,
        *,
        records=None,
        taken=None,
        tls=None,
        tls_loglevel=0,
        footer=None,
        others=None,
        strained=None,
        **settings,
    ):
        loop = asyncio.get_running_loop()
        self.sink = ListSink()
        self.target = Target()
        self.resolver = Resolver(records or {})
        texts = {"access_list": "", "cache_map": f"btree:{path}/cache", "greet_banner": "mx.example teaser"}
        texts.update(settings)
        names = {f"postscreen_{name}": text for name, text in texts.items()} | (others or {})
        made = settings_of(
            registry().groups, **{"myhostname": "mx.example", "compatibility_level": "3.6"} | names
        )
        pressed = settings_of(registry().groups, **{"myhostname": "mx.example"} | names | (strained or {}))
        means = Means(
            log=Log(self.sink, pid=1),
            clock=SystemClock(),
            wheel=Wheel(loop),
            loop=loop,
            tables=TableContext(texts=made.texts),
            resolver=self.resolver,
            counts=LocalCounts(),
            taken=taken,
        )
        self.service = Postscreen(
            made,
            means,
            self.target,
            strained=pressed,
            tls=tls,
            tls_loglevel=tls_loglevel,
            footer=footer,
        )
        self.service.calm.greet_wait = self.service.strained.greet_wait = WAIT

    def connect(self, peer=CLIENT, own=OWN):
        transport = Transport(peer, own)
        transport.protocol = self.service.protocol()
        transport.protocol.connection_made(transport)
        return transport

    async def settle(self, ready=None):
        """Let what is under way go on until ``ready()``; without one, until the wait is long over."""
        async with asyncio.timeout(LIMIT):
            if ready is None:
                await asyncio.sleep(WAIT * 3)
                return
            while not ready():
                await asyncio.sleep(0)  # each turn: what is there for a moment is seen

    async def greeted(self, transport):
        await self.settle(lambda: b"220 " in transport.written)
        transport.take()

    async def passed(self, number=1):
        await self.settle(lambda: len(self.target.sessions) == number)
        return self.target.sessions[-1]

    def log(self):
        """Return postscreen's lines since the last time, without those of cleanings."""
        lines = [line for line in self.sink.lines if ": cache " not in line]
        self.sink.lines.clear()
        return [line.removeprefix("postscreen: ") for line in lines]
