"""smtpd_tls_security_level = encrypt: nothing is done for a client in plain text."""

from __future__ import annotations

from typing import Final

from postroad.model.reply import Reply
from postroad.model.session import Session

# RFC 3207 4
_REFUSAL: Final = Reply(530, "5.7.0", "Must issue a STARTTLS command first")


class TlsRequired:
    """Implements ``model.ports.Policy``: greets, and refuses every transaction of a plain-text session."""

    async def connect(self, session: Session) -> Reply | None:
        """Anybody may connect."""
        del session
        return None

    async def helo(self, session: Session) -> Reply | None:
        """Anybody may greet."""
        del session
        return None

    async def mail(self, session: Session) -> Reply | None:
        """No transaction begins without TLS."""
        return _refused(session)

    async def recipient(self, session: Session, address: str) -> Reply | None:
        """As ``mail``."""
        del address
        return _refused(session)

    async def data(self, session: Session) -> Reply | None:
        """As ``mail``."""
        return _refused(session)

    async def end_of_data(self, session: Session, size: int) -> Reply | None:
        """As ``mail``."""
        del size
        return _refused(session)

    async def verify(self, session: Session, address: str) -> Reply | None:
        """As ``mail``."""
        del address
        return _refused(session)

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        """As ``mail``."""
        del domain
        return _refused(session)


def _refused(session: Session) -> Reply:
    del session
    return _REFUSAL
