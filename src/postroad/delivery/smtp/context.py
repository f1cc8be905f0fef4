"""What all connections of one client service share: settings, time, the log, the buffer to read into."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from postroad.base.clock import Clock
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.base.wheel import Wheel
from postroad.delivery.smtp import params as p
from postroad.delivery.smtp import tls_params as t
from postroad.mail.address import to_external
from postroad.model.params import (
    LINE_LENGTH_LIMIT,
    MINIMAL_BACKOFF_TIME,
    MYHOSTNAME,
    QUEUE_DIRECTORY,
    SOFT_BOUNCE,
)
from postroad.proto.client_features import parse_discard
from postroad.proto.client_stages import STAGES, Stage
from postroad.proto.client_values import Manners

if TYPE_CHECKING:
    from postroad.delivery.smtp.security import Security


def events(text: str, doc: str, *, urgent: bool = False) -> dict[str, Event]:
    """Declare a log event that the SMTP client and the LMTP client both have."""
    return {program: Event(program, text, doc, urgent) for program in ("smtp", "lmtp")}


NO_CONNECTION = events("%s", "A host could not be reached; the next one is tried, if there is any.")
HOST_SKIPPED = events("%s: %s", "A host could not take the message; the next one is tried.")
LONG_LINE = events(
    "%s: breaking line > %d bytes with <CR><LF>SPACE", "The content has a longer line than may be sent."
)
DISCARDING = events("discarding EHLO keywords: %s", "Extensions that the configuration says to ignore.")
BIND_FAILED = events("warning: bind %s: %s", "The configured local address cannot be used.", urgent=True)
FALLBACK_PROBLEM = events(
    "warning: %s_fallback_relay configuration problem",
    "The fallback relay cannot be found, or is this system; the mail is kept.",
    urgent=True,
)
UNEXPECTED = events("error: %s: unexpected: %r", "A defect of this program; the mail is kept.", urgent=True)


class ClientContext:
    """Settings of one service, read once.  ``program`` is smtp or lmtp."""

    def __init__(self, settings: Settings, program: str, log: Log, clock: Clock, wheel: Wheel, loop: asyncio.AbstractEventLoop) -> None:  # fmt: skip  # noqa: E501
        client = p.ClientParams(settings, program)
        self.client = client
        self.program = program
        self.log = log
        self.clock = clock
        self.wheel = wheel
        self.loop = loop
        words = client[p.DISCARD_EHLO_KEYWORDS]
        discard, self.logs_discard = parse_discard(words)
        self.discarded = " ".join(sorted(discard))
        self.manners = self._manners(settings, discard)
        self.plain_after = settings[MINIMAL_BACKOFF_TIME]  # seconds; see Attempt
        self.soft_bounce = settings[SOFT_BOUNCE]
        self.queue_directory = os.path.abspath(settings[QUEUE_DIRECTORY])  # noqa: PTH100 - a name, not a file
        self.timeouts = self._timeouts()
        self.line_limit = client[p.LINE_LENGTH_LIMIT]
        self.skip_quit_response = client[p.SKIP_QUIT_RESPONSE]
        self.keeps = client[p.CONNECTION_CACHE_ON_DEMAND]
        self.always_keeps = frozenset(name.lower() for name in client[p.CONNECTION_CACHE_DESTINATIONS])
        self.idle_limit = float(client[p.CONNECTION_CACHE_TIME_LIMIT])
        self.reuse_time = float(client[p.CONNECTION_REUSE_TIME_LIMIT])
        self.reuse_count = client[p.CONNECTION_REUSE_COUNT_LIMIT]
        self.notes_offer = client[t.TLS_NOTE_STARTTLS_OFFER]
        self.security: Security | None = None  # nothing is asked of any connection
        self.closing = False
        self.passes_on = False  # somebody takes the mail for best_mx_transport

    def _manners(self, settings: Settings, discard: frozenset[str]) -> Manners:
        client = self.client
        return Manners(
            name=client[p.HELO_NAME],
            external=to_external,
            lmtp=self.program == "lmtp",
            hostname=settings[MYHOSTNAME],
            always_ehlo=settings[p.ALWAYS_SEND_EHLO],
            never_ehlo=settings[p.NEVER_SEND_EHLO],
            skip_5xx_greeting=client[p.SKIP_5XX_GREETING],
            discard=discard,
            reply_limit=settings[LINE_LENGTH_LIMIT],
            convert_8bit=not settings[p.DISABLE_MIME_OUTPUT_CONVERSION],
            xforward=client[p.SEND_XFORWARD],
            probe_data=client[p.ADDRESS_VERIFY_TARGET] == "data",
        )

    def _timeouts(self) -> dict[Stage, float]:
        named = {
            "helo_timeout": p.HELO_TIMEOUT,
            "starttls_timeout": t.STARTTLS_TIMEOUT,
            "xforward_timeout": p.XFORWARD_TIMEOUT,
            "mail_timeout": p.MAIL_TIMEOUT,
            "rcpt_timeout": p.RCPT_TIMEOUT,
            "data_init_timeout": p.DATA_INIT_TIMEOUT,
            "data_xfer_timeout": p.DATA_XFER_TIMEOUT,
            "data_done_timeout": p.DATA_DONE_TIMEOUT,
            "rset_timeout": p.RSET_TIMEOUT,
            "quit_timeout": p.QUIT_TIMEOUT,
        }
        return {stage: float(self.client[named[stage.timeout]]) for stage in STAGES if stage.timeout}

    def keep_none(self) -> None:
        """Use each connection for one message: the next sender logs in as somebody else."""
        self.keeps = False
        self.always_keeps = frozenset()

    def emit(self, event: dict[str, Event], *values: object) -> None:
        """Note an event under this program's name."""
        self.log.emit(event[self.program], *values)

    def warn(self, text: str) -> None:
        """Note a warning under this program's name."""
        self.log.warning(self.program, text)
