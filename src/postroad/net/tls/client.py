"""The client's side of TLS: contexts by what they allow, and sessions that can be gone on with."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from OpenSSL import SSL, crypto

from postroad.base.params import Settings
from postroad.net.tls import openssl
from postroad.net.tls.chains import Chain
from postroad.net.tls.ciphers import cipher_list, protocols, restrict, set_usual_groups
from postroad.net.tls.context import Verification, new_context
from postroad.net.tls.errors import TlsError
from postroad.net.tls.pipe import TlsPipe

_CONTEXTS = 100
_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client allows in a handshake, as main.cf writes it.

    ``anonymous``: ciphers without a certificate are welcome.  ``server_name`` is for SNI, "" for none.
    """

    protocols: str
    ciphers: str
    exclude: tuple[str, ...] = ()
    anonymous: bool = True
    server_name: str = ""


class _Session(NamedTuple):
    """A session, its context, the certificates that it began with, and when it is forgotten."""

    session: SSL.Session
    context: SSL.Context
    sent: tuple[bytes, ...]
    ends: float


class ClientTls:
    """Makes the TLS of each connection of one client service.

    ``chains`` are the client's own certificates.  ``lifetime`` of sessions in seconds, 0: none are kept.
    ``digest`` is hashlib's name for the fingerprints in the facts.  ``now`` is a steady clock.
    """

    def __init__(self, settings: Settings, chains: Sequence[Chain], *, lifetime: float, digest: str, now: Callable[[], float]) -> None:  # fmt: skip  # noqa: E501
        self._settings = settings
        self._chains = tuple(chains)
        self._lifetime = lifetime
        self._digest = digest
        self._now = now
        self._contexts: OrderedDict[Offer, SSL.Context] = OrderedDict()
        self._sessions: OrderedDict[Hashable, _Session] = OrderedDict()
        for chain in chains:
            chain.put_into(new_context())  # one that cannot be used is found now

    def connect(self, offer: Offer, key: Hashable) -> TlsPipe:
        """Return the TLS of a new connection; TlsError for settings that cannot be used.

        ``key`` is whom and what for: only a connection with the same key goes on with its session.
        """
        context = self._context(offer)
        connection = SSL.Connection(context, None)
        if offer.server_name:
            connection.set_tlsext_host_name(offer.server_name.encode("ascii"))
        found = self._session(key)
        pipe = TlsPipe(connection, server=False, verification=Verification(self._digest))
        if found is not None and found.context is context:
            connection.set_session(found.session)
        return pipe

    def sent(self, pipe: TlsPipe, key: Hashable) -> tuple[bytes, ...]:
        """Return the certificates that the server has proved itself with, its own first, in DER.

        A session that goes on shows those that it began with: they are judged again.
        """
        if openssl.resumed(pipe.connection) and (found := self._sessions.get(key)) is not None:
            return found.sent
        chain = pipe.connection.get_peer_cert_chain() or []
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in chain)

    def remember(self, pipe: TlsPipe, key: Hashable) -> None:
        """Keep the session for the next connection.  To be called once the server has said something."""
        if not self._lifetime:
            return
        session = pipe.connection.get_session()
        if session is None:
            return
        sent = self.sent(pipe, key)
        known = self._sessions.pop(key, None)
        # However often it goes on, what the certificate was believed for ends.
        ends = known.ends if known is not None and openssl.resumed(pipe.connection) else None
        self._sessions[key] = _Session(
            session, pipe.connection.get_context(), sent, ends or self._now() + self._lifetime
        )
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """A session has led to trouble: begin anew."""
        self._sessions.pop(key, None)

    def _session(self, key: Hashable) -> _Session | None:
        found = self._sessions.get(key)
        if found is not None and found.ends <= self._now():
            del self._sessions[key]
            return None
        return found

    def _context(self, offer: Offer) -> SSL.Context:
        allowed = Offer(offer.protocols, offer.ciphers, offer.exclude, offer.anonymous)
        context = self._contexts.get(allowed)
        if context is None:
            context = self._contexts[allowed] = self._new_context(allowed)
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return context

    def _new_context(self, offer: Offer) -> SSL.Context:
        exclude = offer.exclude if offer.anonymous else (*offer.exclude, "aNULL")
        context = new_context()
        try:
            ciphers = cipher_list(self._settings, offer.ciphers, exclude)
            restrict(context, self._settings, protocols(offer.protocols), ciphers)
            set_usual_groups(context, self._settings)
        except ValueError as error:
            raise TlsError(str(error)) from None
        for chain in self._chains:
            chain.put_into(context)
        return context
