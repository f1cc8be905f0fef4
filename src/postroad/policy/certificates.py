"""Restrictions about the certificate that the client has shown."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, Final, NamedTuple

from postroad.base.kinds import split_list
from postroad.mail.address import Key
from postroad.model.params import RELAY_CLIENTCERTS
from postroad.model.tls import PeerCertificate
from postroad.net.tls.params import SMTPD_TLS_ASK_CCERT
from postroad.policy import query as q
from postroad.policy.access import AccessTable
from postroad.policy.action import Subject
from postroad.policy.basics import broken
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict
from postroad.tables.braces import inside
from postroad.tables.maps import Maps

CCERT: Final = "check_ccert_access"
_ORDER: Final[tuple[str, ...]] = ("cert_fingerprint", "pubkey_fingerprint")


def permit_tls_clientcerts(services: Services) -> Check:
    """``permit_tls_clientcerts``: yes to a certificate, or a public key, that $relay_clientcerts lists.

    Nobody need have signed it: what is known by its fingerprint is known.
    """
    return _permitting(services, trusted=False)


def permit_tls_all_clientcerts(services: Services) -> Check:
    """``permit_tls_all_clientcerts``: yes to whatever an authority that is trusted here has signed, too."""
    return _permitting(services, trusted=True)


def _permitting(services: Services, *, trusted: bool) -> Check:
    listed = services.settings[RELAY_CLIENTCERTS]
    maps = Maps(listed, services.tables)

    async def ask(peer: PeerCertificate) -> Verdict:
        for fingerprint in (peer.certificate_fingerprint, peer.key_fingerprint):
            if await maps.find(fingerprint) is not None:
                return PERMIT
        return None

    def check(query: Query) -> Verdict | Coroutine[Any, Any, Verdict]:
        peer = _peer(query)
        if peer is None:
            return None
        return PERMIT if trusted and peer.trusted else ask(peer)

    return check


def _peer(query: Query) -> PeerCertificate | None:
    facts = query.session.tls_facts
    return None if facts is None else facts.peer


class CertificateTable(NamedTuple):
    """The argument of check_ccert_access: a table, and what it is asked for, in order."""

    spec: str
    order: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> CertificateTable:
        """Read ``type:table`` or ``{ type:table, { search_order = ... } }``; ValueError otherwise."""
        if not text.startswith("{"):
            return cls(text, _ORDER)
        members = split_list(inside(text))
        if not members:
            raise ValueError(f"empty map specification: '{text}'")
        order = _ORDER
        for member in members[1:]:
            order = _search_order(text, member)
        return cls(members[0], order)

    def fingerprints(self, peer: PeerCertificate) -> Iterator[str]:
        """Yield what the table is asked for."""
        for sort in self.order:
            yield peer.certificate_fingerprint if sort == _ORDER[0] else peer.key_fingerprint


def _search_order(text: str, member: str) -> tuple[str, ...]:
    name, equals, value = (inside(member) if member.startswith("{") else member).partition("=")
    if not equals:
        raise ValueError(f"malformed map attribute in '{text}': 'missing '=' after attribute name'")
    if name.strip().lower() != "search_order":
        raise ValueError(f"unknown map attribute in '{text}': '{name.strip()}'")
    order = split_list(value.lower())
    for sort in order:
        if sort not in _ORDER:
            raise ValueError(f"unknown search type '{sort}' in '{text}'")
    return order


def check_ccert_access(services: Services, name: str, argument: str, default: str) -> Check:
    """``check_ccert_access``: the fingerprints of the client's certificate and of its public key."""
    try:
        spec, order = CertificateTable.read(argument)
    except ValueError as error:
        return broken(str(error))
    if ":" not in spec:
        return broken(f'restriction {name}: bad argument "{argument}": need maptype:mapname')
    wanted, table = CertificateTable(spec, order), AccessTable(services, spec, default)
    asked = services.settings[SMTPD_TLS_ASK_CCERT]

    async def ask(query: Query, peer: PeerCertificate) -> Verdict:
        for fingerprint in wanted.fingerprints(peer):
            subject = Subject(peer.subject, q.CERTIFICATE, fingerprint)
            verdict = await table.ask(query, [Key(fingerprint)], subject)
            if verdict is not None:
                return verdict
        return None

    def check(query: Query) -> Coroutine[Any, Any, Verdict] | None:
        peer = _peer(query)
        if peer is not None:
            return ask(query, peer)
        if not asked:
            services.log.warning("smtpd", f'{name} is requested, but "{SMTPD_TLS_ASK_CCERT.name} = no"')
        return None

    return check
