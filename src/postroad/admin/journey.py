"""The whole journey of a message on this machine alone: two servers, a name server, taps on every leg.

The first message goes from a client that encrypts and logs in to the sending server, by its MX record
to the receiving server, and into a mailbox.  The second is for a user who does not exist: the receiving
server refuses it, and a bounce comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.message
import email.policy
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from postroad.admin.dialogue import connect
from postroad.admin.loopback import LoopbackServer
from postroad.admin.secure import Security, verifying_context
from postroad.admin.submit import Envelope, submit
from postroad.admin.tap import Line, Recorder, Tap
from postroad.admin.zone import Question, Zone
from postroad.auth.schemes import make
from postroad.base.clock import Clock
from postroad.base.errors import PostroadError
from postroad.mail import header as block
from postroad.mail.dates import rfc5322
from postroad.proto.sasl.client import Credentials

SENDER, RECIPIENT, STRANGER = "alice@sender.example", "bob@receiver.example", "carol@receiver.example"
_CLIENT = "laptop.sender.example"
_HOST = "mail.sender.example"
_PATIENCE = 10.0  # seconds for a message to arrive
_POLL = 0.01
_RECORDS = {
    ("receiver.example", "MX"): ["10 mail.receiver.example."],
    ("mail.receiver.example", "A"): ["127.0.0.1"],
    ("mail.sender.example", "A"): ["127.0.0.1"],
    ("1.0.0.127.in-addr.arpa", "PTR"): ["mail.sender.example."],
}
_SENDING = """\
myhostname = mail.sender.example
mynetworks =
virtual_mailbox_domains = sender.example
virtual_mailbox_maps = inline:{{{sender}=alice/}}
resolver_addresses = [127.0.0.1]:{dns}
smtp_tcp_port = {port}
smtp_connection_cache_on_demand = no
"""
_RECEIVING = """\
myhostname = mail.receiver.example
mynetworks =
virtual_mailbox_domains = receiver.example
virtual_mailbox_maps = inline:{{{recipient}=bob/}}
resolver_addresses = [127.0.0.1]:{dns}
"""
#: What makes the sending server's port one for submission (RFC 6409).
_SUBMISSION = {
    "smtpd_tls_security_level": "encrypt",
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sasl_type": "postroad",
    "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
}
#: What servers put in front of a message on its way; nothing else may have been added.
_TRACE = frozenset({b"return-path", b"x-original-to", b"delivered-to", b"received"})
_BODY = """\
Hello Bob, 你好!

.A line that begins with a dot keeps it,
..so does one with two,
.
and a line with a dot alone does not end the message.
"""


class JourneyFailed(PostroadError):  # noqa: N818 - what became of it
    """The journey could not be made to its end."""


@dataclass(slots=True)
class Leg:
    """One dialogue: between whom, and its lines."""

    name: str
    lines: list[Line]


@dataclass(slots=True)
class Trip:
    """What became of one message.  Times are steady seconds; ``arrived`` is that of ``text``'s arrival."""

    sender: str
    recipient: str
    begun: float
    sent: bytes
    legs: list[Leg] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    place: str = ""
    text: bytes = b""
    arrived: float = 0.0
    good: bool = False


@dataclass(slots=True)
class Journey:
    """Both trips: a message that arrives, and one that comes back."""

    delivered: Trip
    bounced: Trip

    @property
    def good(self) -> bool:
        """Whether the first arrived byte for byte, and the second came back."""
        return self.delivered.good and self.bounced.good


async def travel(clock: Clock) -> Journey:
    """Make the journey; everything that it needs is gone afterwards.

    PostroadError when a server does not start or a message does not arrive in time.
    """
    directory = await asyncio.to_thread(_new_directory)
    try:
        async with _stage(directory, clock) as stage:
            return Journey(await stage.deliver(), await stage.bounce())
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _new_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="postroad-demo-"))
    directory.chmod(0o755)  # the servers run as another user when we are the super-user
    return directory


@contextlib.asynccontextmanager
async def _stage(directory: Path, clock: Clock) -> AsyncIterator[_Stage]:
    """Set everything up, and take it down again."""
    exchange = Tap(clock.steady)
    zone, local_zone = Zone(_RECORDS, clock.steady), Zone(_RECORDS, clock.steady)
    async with contextlib.AsyncExitStack() as stack:
        for part in (exchange, zone, local_zone):
            stack.callback(part.close)
            await part.listen()
        password = secrets.token_urlsafe(12)
        stored = make("SHA512-CRYPT", password.encode())
        sending = LoopbackServer(
            directory / "sending",
            _SENDING.format(sender=SENDER, dns=zone.port, port=exchange.port),
            _SUBMISSION | {"smtpd_sasl_path": f"inline:{{{{{SENDER} = {stored.replace('$', '$$')}}}}}"},
        )
        receiving = LoopbackServer(
            directory / "receiving", _RECEIVING.format(recipient=RECIPIENT, dns=local_zone.port)
        )
        for server in (sending, receiving):
            stack.push_async_callback(server.stop)
        await asyncio.gather(sending.start(), receiving.start())
        exchange.target = ("127.0.0.1", receiving.port)
        security = Security(
            _HOST,
            await asyncio.to_thread(verifying_context, str(sending.certificate)),
            credentials=Credentials(SENDER, password),
        )
        yield _Stage(clock, security, exchange, zone, sending, receiving)


class _Stage:
    """Everything in place, ready for messages."""

    def __init__(self, clock: Clock, security: Security, exchange: Tap, zone: Zone, sending: LoopbackServer, receiving: LoopbackServer) -> None:  # fmt: skip  # noqa: E501
        self._clock = clock
        self._entry = Recorder(clock.steady)
        self._security = security
        self._exchange = exchange
        self._zone = zone
        self._sending = sending
        self._receiving = receiving

    async def deliver(self) -> Trip:
        """Send the message that arrives."""
        trip = await self._send(RECIPIENT, "你好, a message on its way", _BODY)
        await self._arrival(trip, self._receiving, "bob")
        trip.good = is_unchanged(trip.sent, trip.text)
        self._gather(trip)
        return trip

    async def bounce(self) -> Trip:
        """Send the message that comes back."""
        self._clear()
        trip = await self._send(STRANGER, "Is there anybody?", "Hello Carol!\n")
        await self._arrival(trip, self._sending, "alice")
        trip.good = is_bounce(trip.text, STRANGER)
        self._gather(trip)
        return trip

    async def _send(self, recipient: str, subject: str, body: str) -> Trip:
        clock = self._clock
        text = _compose(recipient, subject, body, rfc5322(clock.now()), f"{clock.now():.6f}")
        trip = Trip(SENDER, recipient, clock.steady(), text)
        await asyncio.to_thread(self._submit, trip)
        return trip

    def _submit(self, trip: Trip) -> None:
        listener = self._entry.heard
        with connect("127.0.0.1", self._sending.port, timeout=_PATIENCE, listener=listener) as dialogue:
            envelope = Envelope(trip.sender, [trip.recipient], eight_bit=True)
            submit(dialogue, _CLIENT, envelope, len(trip.sent), [trip.sent], self._security.go_on)

    async def _arrival(self, trip: Trip, server: LoopbackServer, mailbox: str) -> None:
        """Wait for one message in a Maildir."""
        new = server.mail / mailbox / "new"
        end = self._clock.steady() + _PATIENCE
        while not (found := sorted(new.glob("*"))):
            if self._clock.steady() > end:
                logs = self._sending.log() + self._receiving.log()
                raise JourneyFailed(f"the message to {trip.recipient} did not arrive; the logs:\n{logs}")
            await asyncio.sleep(_POLL)
        trip.arrived = self._clock.steady()
        trip.place = str(found[0].relative_to(server.directory.parent))
        trip.text = found[0].read_bytes()

    def _gather(self, trip: Trip) -> None:
        trip.legs = [
            Leg("client to sending server", list(self._entry.lines)),
            Leg("sending server to receiving server", list(self._exchange.lines)),
        ]
        trip.questions = list(self._zone.questions)

    def _clear(self) -> None:
        for remembered in (self._entry.lines, self._exchange.lines, self._zone.questions):
            remembered.clear()


def _compose(recipient: str, subject: str, body: str, date: str, unique: str) -> bytes:
    message = email.message.EmailMessage(email.policy.SMTP)
    message["From"] = f"Alice <{SENDER}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = date
    message["Message-ID"] = f"<{unique}@{_CLIENT}>"
    message.set_content(body, cte="8bit")
    return message.as_bytes()


def is_unchanged(sent: bytes, delivered: bytes) -> bool:
    """Return whether a delivered file is what was sent, with nothing but trace fields in front of it."""
    text = delivered.replace(b"\r\n", b"\n")
    wanted = sent.replace(b"\r\n", b"\n")
    if not text.endswith(wanted):
        return False
    added = text[: len(text) - len(wanted)]
    whole = block.block_end(added) == len(added)
    return whole and all(item.name in _TRACE for item in block.fields(added))


def is_bounce(text: bytes, recipient: str) -> bool:
    """Return whether a message reports that ``recipient`` failed for good (RFC 3464)."""
    message = email.message_from_bytes(text)
    if message.get_content_type() != "multipart/report":
        return False
    for part in message.walk():
        status = part.get("Status", "")
        if part.get("Action") == "failed" and status.startswith("5."):
            return recipient in part.get("Final-Recipient", "")
    return False
