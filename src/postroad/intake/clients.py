"""Which clients are local, so that their headers are completed (local_header_rewrite_clients)."""

from __future__ import annotations

from postroad.base.errors import TableUnavailable
from postroad.base.params import Settings
from postroad.model import params as model
from postroad.model.session import Session
from postroad.model.tls import PeerCertificate
from postroad.net.interfaces import OwnAddresses
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.matchlist import AddressList, parents_of

_CHECK = "check_address_map"
_CERTIFICATES = frozenset({"permit_tls_clientcerts", "permit_tls_all_clientcerts"})
_PLAIN = frozenset({"permit_inet_interfaces", "permit_mynetworks", "permit_sasl_authenticated"})
_KNOWN = _PLAIN | _CERTIFICATES


class LocalClients:
    """Says of a session whether its headers are rewritten as local mail's are.

    ValueError for a member that is none of Postfix's words and no ``type:table``.
    """

    __slots__ = ("_addresses", "_certificates", "_members", "_networks")

    def __init__(self, settings: Settings, tables: TableContext, own: OwnAddresses | None = None) -> None:
        self._addresses = frozenset(own.own if own else ())
        listed = settings[model.RELAY_CLIENTCERTS]
        self._certificates = Maps(listed, tables)
        self._members: list[str | Maps] = []
        self._networks: AddressList | None = None
        for member in settings[model.LOCAL_HEADER_REWRITE_CLIENTS]:
            if member in _KNOWN:
                self._members.append(member)
                if member == "permit_mynetworks" and self._networks is None:
                    parents = parents_of(settings, model.MYNETWORKS.name)
                    networks: tuple[str, ...] = settings[model.MYNETWORKS]
                    self._networks = AddressList(networks, tables, parents=parents)
            elif ":" in member:
                self._members.append(Maps([member], tables))
            elif member != _CHECK:
                raise ValueError(f'bad local_header_rewrite_clients value: "{member}"')

    def now(self, session: Session) -> bool | None:
        """Return whether the client is local; None when a table must be asked first."""
        forwarded = session.transaction.forwarded
        if forwarded is not None and forwarded.source:
            return forwarded.source == "LOCAL"
        if session.client.local_uid is not None:
            return True
        for member in self._members:
            if not isinstance(member, str):
                return None
            if member in _CERTIFICATES and _peer(session) is not None:
                return None
            if member == "permit_mynetworks" and self._networks is not None and not self._networks.now:
                return None
            try:
                if self._permits(member, session):
                    return True
            except TableUnavailable:  # ``find`` says so
                return None
        return False

    async def find(self, session: Session) -> bool:
        """Return whether the client is local.  TableUnavailable: could not look."""
        forwarded = session.transaction.forwarded
        if forwarded is not None and forwarded.source:
            return forwarded.source == "LOCAL"
        if session.client.local_uid is not None:
            return True
        for member in self._members:
            if isinstance(member, str):
                if member in _CERTIFICATES:
                    if await self._is_listed(member, session):
                        return True
                elif member == "permit_mynetworks" and self._networks is not None:
                    if await self._networks.matches(session.client.address, session.client.name):
                        return True
                elif self._permits(member, session):
                    return True
            elif await member.find(session.client.address) is not None:
                return True
        return False

    def _permits(self, member: str, session: Session) -> bool:
        if member == "permit_inet_interfaces":
            return session.client.address in self._addresses
        if member == "permit_mynetworks" and self._networks is not None:
            # Not client.trusted: that is set when a restriction asks, and perhaps none did.
            return self._networks.matches_now(session.client.address, session.client.name)
        return member == "permit_sasl_authenticated" and bool(session.sasl_username)

    async def _is_listed(self, member: str, session: Session) -> bool:
        peer = _peer(session)
        if peer is None:
            return False
        if member == "permit_tls_all_clientcerts" and peer.trusted:
            return True
        for fingerprint in (peer.certificate_fingerprint, peer.key_fingerprint):
            if await self._certificates.find(fingerprint) is not None:
                return True
        return False


def _peer(session: Session) -> PeerCertificate | None:
    return None if session.tls_facts is None else session.tls_facts.peer
