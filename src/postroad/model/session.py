"""The facts of one SMTP session and of its mail transaction, for policy and intake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from postroad.model.client import Client
from postroad.model.explain import Trail
from postroad.model.forwarded import Forwarded
from postroad.model.message import Recipient
from postroad.model.tls import TlsFacts


@dataclass(slots=True)
class Transaction:
    """One mail transaction: from MAIL to the final dot.

    ``sender`` is None until MAIL was accepted, "" for the null sender.  Addresses are as the client
    wrote them with quoting and source routes removed, decoded as UTF-8 with surrogateescape.
    """

    sender: str | None = None
    recipients: list[Recipient] = field(default_factory=list)
    size: int = 0  # SIZE=, 0 when not given
    eight_bit: bool = False  # BODY=8BITMIME
    smtputf8: bool = False
    ret: str = ""  # RFC 3461: FULL or HDRS
    envid: str = ""  # RFC 3461, xtext decoded
    auth: str = ""  # RFC 4954 AUTH=
    actions: dict[str, str] = field(
        default_factory=dict
    )  # what access maps ask for: HOLD, DISCARD, FILTER ...
    asked: Recipient | None = None  # the recipient that the last RCPT named
    forwarded: Forwarded | None = None  # XFORWARD, said before MAIL
    plain: bool = False  # the content has CRLF line ends only, and no line that begins with a dot
    queue_key: int = 0  # 0 until the message has a queue id
    verdicts: dict[str, Any] = field(default_factory=dict)  # policy's memory for this transaction


@dataclass(slots=True)
class Session:
    """One SMTP session, from connect to the end."""

    client: Client
    helo: str = ""
    greeting: str = ""  # the last command that said ``helo``: HELO or EHLO
    protocol: str = "SMTP"  # SMTP or ESMTP, LMTP; HELO behind EHLO does not take that back
    transaction: Transaction = field(default_factory=Transaction)
    sasl_username: str = ""
    sasl_method: str = ""
    sasl_sender: str = ""
    tls: str = ""  # the Received clause's text when TLS is on
    tls_facts: TlsFacts | None = None  # when TLS is on
    #: Channel binding data by type ("tls-exporter", "tls-server-end-point"), b"" where there is none.
    channel_binding: Callable[[str], bytes] | None = None
    on_end: Callable[[], None] | None = None  # called when the client is gone
    memory: dict[str, Any] = field(default_factory=dict)  # policy's memory for this session
    #: Says what decided, and what stood behind it, of the policy's last refusal; for records of refusals.
    why: Callable[[], tuple[Trail | None, Trail | None]] | None = None
