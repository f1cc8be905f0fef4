"""Where a message comes from: its Received field and what is remembered of its client."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.intake import params
from postroad.mail.dates import DateClock
from postroad.mail.received import client_clauses, local_field, recipient_clause, with_protocol
from postroad.model import params as model
from postroad.model.forwarded import Forwarded
from postroad.model.session import Session

_KEPT = 1000  # beginnings of fields


class Origins:
    """Makes Received fields.  What a client's fields begin with is made once, and remembered."""

    __slots__ = ("_dates", "_heads", "_hidden", "_hostname", "_login", "_product", "_tls")

    def __init__(self, settings: Settings) -> None:
        self._hostname = settings[model.MYHOSTNAME]
        self._product = settings[model.MAIL_NAME]
        self._tls = settings[params.SMTPD_TLS_RECEIVED_HEADER]
        self._login = settings[params.SMTPD_SASL_AUTHENTICATED_HEADER]
        self._hidden = settings[params.SMTPD_HIDE_CLIENT_SESSION]
        self._dates = DateClock()
        self._heads: dict[tuple[object, ...], str] = {}

    def date(self, when: float) -> str:
        """Return a date as header fields have it."""
        return self._dates.text(when)

    def received(self, session: Session, queue_id: str, date: str) -> bytes:
        """Return the Received field of a message, line ends included (RFC 5321 4.4)."""
        client = session.client
        if client.local_uid is not None:
            text = local_field(self._hostname, self._product, client.local_uid, queue_id, date)
        else:
            text = f"{self._head(session)}{queue_id}{recipient_clause(session, date)}"
        return text.encode("utf-8", "surrogateescape")

    def passing(self, session: Session, date: str) -> bytes:
        """Return the Received field of a message that is handed on and never queued: it has no id."""
        text = f"{self._head(session).removesuffix(' id ')}{recipient_clause(session, date)}"
        return text.encode("utf-8", "surrogateescape")

    def _head(self, session: Session) -> str:
        client = session.client
        facts = (
            session.helo,
            client.address,
            client.name,
            session.protocol,
            session.tls,
            session.sasl_username,
            session.transaction.smtputf8,
        )
        head = self._heads.get(facts)
        if head is None:
            if len(self._heads) >= _KEPT:
                self._heads.clear()
            head = self._heads[facts] = self._make_head(session)
        return head

    def _make_head(self, session: Session) -> str:
        if self._hidden:
            return f"Received: by {self._hostname} ({self._product}) id "
        clauses = client_clauses(session, tls=self._tls, login=self._login)
        return f"{clauses}\tby {self._hostname} ({self._product}) with {with_protocol(session)} id "


def attributes(session: Session) -> dict[str, str]:
    """Return what is remembered of the client with the message, under Postfix's named attributes."""
    client = session.client
    if client.local_uid is not None:
        return {"rewrite_context": "local"}
    # a new one for each message: what is added to one must not show in another
    found = {
        "log_client_name": client.name,
        "log_client_address": client.address,
        "log_client_port": str(client.port),
        "log_helo_name": session.helo,
        "log_protocol_name": session.protocol,
    }
    if session.transaction.forwarded is not None:
        _forwarded(found, session.transaction.forwarded)
    if session.sasl_username:
        found["sasl_method"] = session.sasl_method
        found["sasl_username"] = session.sasl_username
        if session.sasl_sender:
            found["sasl_sender"] = session.sasl_sender
    return found


def _forwarded(found: dict[str, str], forwarded: Forwarded) -> None:
    """Put what XFORWARD said in place of what is known of the client itself; the two are not mixed."""
    if forwarded.ident:
        found["log_ident"] = forwarded.ident
    if forwarded.about_client:
        found |= {
            "log_client_name": forwarded.name,
            "log_client_address": forwarded.address,
            "log_client_port": forwarded.port,
            "log_helo_name": forwarded.helo,
            "log_protocol_name": forwarded.protocol,
        }
