"""One connection's TLS and login: shakes hands, judges the server, chooses a mechanism, and logs it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from postroad.base.errors import TableUnavailable
from postroad.delivery.smtp.context import UNEXPECTED, ClientContext, events
from postroad.delivery.smtp.security import Bond
from postroad.model.outcome import Outcome
from postroad.net.tls.errors import TlsError
from postroad.net.tls.transport import TlsTransport
from postroad.net.tls.verify import Verdict, fingerprints, judge
from postroad.proto.client import ClientSession
from postroad.proto.client_secure import NOT_VERIFIED
from postroad.proto.client_stages import BODY, DATA, HANDSHAKE, MAIL, RCPT, TLS, Event, Stage
from postroad.proto.client_values import Peer

#: While these last, nothing can have been delivered.  Behind the final dot, it can.
_UNDECIDED = HANDSHAKE | {MAIL, RCPT, DATA, BODY}

TLS_ESTABLISHED = events("%s TLS connection established to %s: %s", "Hands are shaken with a server.")
TLS_BEGINS = events("setting up TLS connection to %s", "We begin to shake hands.")
TLS_FAILED = events("SSL_connect error to %s: %s", "Hands could not be shaken with a server.")
TLS_PROBLEM = events(
    "warning: TLS library problem: %s", "What OpenSSL says of a session that broke.", urgent=True
)
TLS_SETTINGS = events("warning: %s: %s", "The settings for TLS cannot be used.", urgent=True)
NOT_TRUSTED = events("%s", "Why a certificate is not what the policy wants.")
MATCHED = events("%s: matched peername: %s", "The name of a certificate that is a wanted one.")
CERTIFICATE = events(
    "%s: subject_CN=%s, issuer_CN=%s, fingerprint=%s, pkey_fingerprint=%s", "The certificate of a server."
)
OFFERED = events("Host offered STARTTLS: [%s]", "A host offers TLS, and the policy says none.")

NO_MECHANISM = (
    "SASL authentication failed: server {} offered no compatible authentication mechanisms"
    " for this type of connection security"
)


class SecureLink:
    """What one connection does with its Bond.  ``transport`` is there once TLS has begun."""

    __slots__ = ("_context", "_peer", "bond", "failed", "shaken", "transport")

    def __init__(self, context: ClientContext, bond: Bond, peer: Peer) -> None:
        self._context = context
        self._peer = peer
        self.bond = bond
        self.transport: TlsTransport | None = None
        self.shaken = False
        self.failed = False  # hands could not be shaken, or the connection broke under TLS

    # --- TLS

    def start(self, transport: asyncio.Transport) -> TlsTransport:
        """Begin to shake hands; raises TlsError."""
        bond, context = self.bond, self._context
        assert bond.tls is not None
        if self._loglevel > 1:
            context.emit(TLS_BEGINS, self._peer.relay)
        pipe = bond.tls.connect(bond.offer, bond.key)
        self.transport = TlsTransport(transport, pipe)
        self.transport.start()
        return self.transport

    def not_started(self, session: ClientSession, error: TlsError) -> Event:
        """The settings allow no handshake."""
        self._context.emit(TLS_SETTINGS, self._peer.relay, error)
        self.failed = True
        return session.insecure()

    def broken(self, session: ClientSession, error: TlsError) -> Event | None:
        """TLS has failed: while hands were shaken, or later (None: the connection is lost)."""
        context = self._context
        if not self.shaken:
            context.emit(TLS_FAILED, self._peer.relay, -1)
        if self.bond.tls is not None:
            self.bond.tls.forget(self.bond.key)
        context.emit(TLS_PROBLEM, error)
        if self.shaken:
            return None
        self.failed = True
        return session.insecure()

    def lost(self, stage: Stage, *, timed_out: bool) -> None:
        """The connection is gone, while hands were shaken or later."""
        if stage is TLS:
            why = "Connection timed out" if timed_out else "lost connection"
            self._context.emit(TLS_FAILED, self._peer.relay, why)
            self.failed = True
        elif self.shaken and stage in _UNDECIDED:
            self.failed = True  # it may have been TLS's fault

    def judged(self, session: ClientSession, *, early: bool) -> Event | None:
        """Hands are shaken: None if the server is whom the policy wants, and the session goes on.

        ``early``: it has sent plain text already.
        """
        self.shaken = True
        bond = self.bond
        assert bond.tls is not None
        assert self.transport is not None
        verdict = judge(bond.tls.sent(self.transport.pipe, bond.key), bond.demand, bond.authorities)
        self._tell(verdict)
        if verdict.matched:
            return session.secured(verified=bool(bond.demand.level), early=early)
        bond.tls.forget(bond.key)
        return session.refuse(Outcome("4.7.5", NOT_VERIFIED, self._peer.relay))

    def ready(self) -> None:
        """The connection can carry mail: its session is worth remembering."""
        if self.transport is not None and self.bond.tls is not None:
            self.bond.tls.remember(self.transport.pipe, self.bond.key)

    @property
    def may_be_plain(self) -> bool:
        """Whether TLS has failed, and mail may go without."""
        return self.failed and self.bond.may_be_plain

    @property
    def single(self) -> bool:
        """Whether this connection is for one message only."""
        return self.transport is not None and not self.bond.policy.reuse

    @property
    def _loglevel(self) -> int:
        security = self._context.security
        return security.loglevel if security is not None else 0

    def _tell(self, verdict: Verdict) -> None:
        """Log the judgement, as Postfix does at this level."""
        context, relay, level = self._context, self._peer.relay, self._loglevel
        assert self.transport is not None
        if verdict.fault and self.bond.demand.level:
            context.emit(NOT_TRUSTED, verdict.fault.format(relay))
        if not level:
            return
        try:
            facts = replace(self.transport.pipe.facts(), trust=verdict.trust)
        except Exception as error:  # noqa: BLE001 - what cannot be read of a certificate only informs
            context.emit(UNEXPECTED, relay, error)
            return
        if level > 1 and verdict.name:
            context.emit(MATCHED, relay, verdict.name)
        if level > 1 and facts.peer is not None:
            digest = self.bond.demand.digest
            made = [each.upper() for each in fingerprints(facts.peer.der, digest)]
            pairs = [":".join(each[at : at + 2] for at in range(0, len(each), 2)) for each in made]
            context.emit(CERTIFICATE, relay, facts.peer.subject, facts.peer.issuer, *pairs)
        context.emit(TLS_ESTABLISHED, facts.trust, relay, facts.describe())

    # --- the login

    async def log_in(self, session: ClientSession) -> Event | None:
        """Choose a mechanism and begin with it.  Returns what that means, None: read on."""
        security, credentials = self._context.security, self.bond.credentials
        assert security is not None
        logins = security.logins
        assert logins is not None
        assert credentials is not None
        peer, offered = self._peer, session.features.auth
        past = logins.remembered(peer.name, credentials)
        if past is not None:
            text = f"SASL [CACHED] authentication failed; server {peer.host} said: {past.reply}"
            return session.refuse(Outcome(past.status, text, peer.relay, remote=peer.name, reply=past.reply))
        try:
            mechanisms = await logins.mechanisms(offered)
        except TableUnavailable as error:
            self._context.warn(str(error))
            return session.refuse(Outcome("4.3.0", "SASL mechanism filter lookup error", peer.relay))
        if not mechanisms:
            self._context.warn(f"{peer.relay} offered no supported AUTH mechanisms: '{' '.join(offered)}'")
            return session.refuse(Outcome("4.7.0", NO_MECHANISM.format(peer.host), peer.relay))
        found = logins.begin(
            mechanisms,
            credentials,
            offered=offered,
            tls=session.encrypted,
            verified=session.verified,
            host=peer.name,
            port=peer.port,
            binding=self.transport.pipe.export if self.transport is not None else None,
        )
        if not isinstance(found, str):
            return session.log_in(found)
        text = f"SASL authentication failed; cannot authenticate to server {peer.host}: {found}"
        return session.refuse(Outcome("4.7.0", text, peer.relay))

    def refused(self, session: ClientSession) -> None:
        """If the server has refused a login, note that, and whether the mail may come back for it."""
        security, credentials = self._context.security, self.bond.credentials
        failure, reply = session.failure, session.login_reply
        if failure is None or reply is None or credentials is None:
            return
        assert security is not None
        assert security.logins is not None
        name = self._peer.name
        past = security.logins.refused(name, credentials, reply.code, failure.status, failure.reply)
        failure.status = past.status
