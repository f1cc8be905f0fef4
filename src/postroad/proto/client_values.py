"""What a client's conversation is made of: its manners, the server, the message under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Manners:
    """How this client speaks: the settings of all its conversations.

    ``external`` gives an address the form it has in commands: its local part quoted where RFC 5321
    4.1.2 demands.  ``reply_limit`` is the longest text of a reply that is kept, in bytes.
    """

    name: str  # smtp_helo_name
    external: Callable[[str], str]
    lmtp: bool = False
    hostname: str = ""  # $myhostname: a server of this name is ourselves
    always_ehlo: bool = True
    never_ehlo: bool = False
    skip_5xx_greeting: bool = True
    discard: frozenset[str] = frozenset()
    reply_limit: int = 2048
    convert_8bit: bool = True  # to quoted-printable, for a server without 8BITMIME
    xforward: bool = False  # tell where a message comes from, if the server wants to know
    probe_data: bool = False  # a probe goes as far as the answer to DATA, not only to RCPT


@dataclass(frozen=True, slots=True)
class Terms:
    """What has to happen on a connection before mail may be sent over it; no Terms at all: nothing.

    ``tls``: use TLS when it is offered; ``required``: nothing is sent without it; ``wrapper``: it begins
    with the first byte.  ``engine``: there is somebody to shake hands.  ``login``: log in, if the
    server lets anybody.
    """

    tls: bool = False
    required: bool = False
    wrapper: bool = False
    engine: bool = True
    login: bool = False


@dataclass(slots=True)
class Peer:
    """The server.  ``address`` is a path for a socket in the file system, which has no port (0)."""

    name: str
    address: str
    port: int = 0
    best: bool = True  # one of the destination's best MX hosts
    nexthop: str = ""
    host: str = field(init=False)  # NAME[ADDRESS]
    relay: str = field(init=False)  # NAME[ADDRESS]:PORT

    def __post_init__(self) -> None:
        self.host = f"{self.name}[{self.address}]"
        self.relay = f"{self.host}:{self.port}" if self.port else self.host


class Dispatch:
    """One message on its way over one connection, to some of its recipients.

    ``outcomes`` (same order) is filled by the session.  ``size`` is what SIZE= says, in bytes;
    ``utf8_header`` that the header has UTF-8.  ``site_failure`` is set when the server as a whole
    could not be used; ``untouched`` when the connection turned out dead before the server had said
    anything to this message, so that nothing speaks against trying it on another; ``delivered`` when
    one reply has taken the message for every recipient.  A ``probe`` asks whether the recipients would be
    taken: no content is sent, and whom the server takes has its answer for an outcome.
    """

    __slots__ = (
        "accepted",
        "asked",
        "delivered",
        "introduced",
        "message",
        "outcomes",
        "probe",
        "recipients",
        "refused",
        "replied",
        "site_failure",
        "size",
        "untouched",
        "utf8_header",
    )

    def __init__(self, message: Message, recipients: Sequence[Recipient], size: int) -> None:
        self.message = message
        self.recipients = recipients
        self.size = size
        self.utf8_header = False
        self.outcomes: list[Outcome | None] = [None] * len(recipients)
        self.asked: Sequence[int] = ()  # the recipients that have a RCPT command, as indexes
        self.accepted: list[int] = []  # those of them that the server took
        self.introduced: list[bytes] = []  # XFORWARD commands that are not answered
        self.replied = 0  # how many of those, or of LMTP's final replies, are answered
        self.refused = False  # MAIL was
        self.site_failure: Outcome | None = None
        self.untouched = False
        self.delivered = False
        self.probe = False

    def rest(self, outcome: Outcome) -> None:
        """Give every recipient that has none yet this outcome."""
        self.outcomes = [outcome if known is None else known for known in self.outcomes]
