"""What a mail host's zone says of its certificates: TLSA records for SMTP (RFC 7672, RFC 7671).

Only looks up and sorts; the comparison with a certificate is made where the handshake is.  As in
Postfix, DNSSEC is validated by the resolver that is asked, whose AD bit is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postroad.base.errors import LookupUnavailable
from postroad.base.log import Event, Log
from postroad.base.params import Settings
from postroad.base.tasks import spawn
from postroad.model.ports import Resolver
from postroad.net.mailhosts import Host
from postroad.net.params import DNS_SUPPORT_LEVEL, HOST_LOOKUP, TLS_DANE_DIGESTS

#: A full certificate or key in a record; longer ones are not read.
_DATA_LIMIT = 16384
_FULL = 0  # RFC 6698 2.1.3: the data is the thing itself
#: Octets of the digests that there are (RFC 6698 7.4), by name: matching type and length.
DIGESTS = {"sha256": (1, 32), "sha512": (2, 64)}

UNUSABLE = Event(
    "smtp",
    "warning: unusable TLSA RR for %s: %d %d %d: %s",
    "A record cannot be used for SMTP, or is malformed; the others of the host count.",
)

NOT_VALIDATED = Event(
    "smtp",
    "warning: DNSSEC validation may be unavailable",
    "DANE needs a resolver that validates; without one it protects nothing, and dane-only sends nothing.",
    urgent=True,
)
NOT_VALIDATED_REASON = Event(
    "smtp", "warning: reason: dnssec_probe '%s' received %s", "Why that is believed.", urgent=True
)


class DaneState(Enum):
    """What there is for a host."""

    USABLE = auto()  # authenticate by the records
    UNUSABLE = auto()  # records, and none that can be used: encrypt, without authentication
    NONE = auto()  # the zone is signed and says that there are none
    INSECURE = auto()  # the host's zone is not signed: no records are looked for


class Tlsa(NamedTuple):
    """One record.  ``usage`` 2 (DANE-TA) or 3 (DANE-EE), ``matching`` 0 (the thing itself), 1 or 2."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Dane:
    """The answer for one host and port.

    ``records`` are those to be used, in the order of the answer, weaker digests left out.  ``base``
    is the name that they were found under: RFC 7672 3.2.2, what a DANE-TA certificate may be for (with
    the next hop's domain), and the SNI.  ``authenticated``: the way from the next hop's domain to the
    host was secure too; without it a certificate proves the host and not the domain.
    """

    state: DaneState
    records: tuple[Tlsa, ...] = ()
    base: str = ""
    authenticated: bool = False


def read_digests(words: Sequence[str]) -> tuple[str, ...]:
    """Return the digests of ``tls_dane_digests``, the preferred first; ValueError for one that is none."""
    names: list[str] = []
    for word in words:
        name, equals, number = word.lower().partition("=")
        if name not in DIGESTS:
            raise ValueError(f"{word}: not a digest that DANE can use; there are {', '.join(DIGESTS)}")
        if equals and number != str(DIGESTS[name][0]):
            raise ValueError(f"{word}: the number of {name} is {DIGESTS[name][0]}")
        names.append(name)
    return tuple(dict.fromkeys(names))


def flaw(settings: Settings, program: str) -> str:
    """Return why DANE cannot be used by a client program, in Postfix's words; "" when it can.

    The level dane is then may, with the warning ``NEXTHOP: LEVEL configured WORDS``; dane-only defers.
    """
    if settings[DNS_SUPPORT_LEVEL[program]] != "dnssec" or "dns" not in settings[HOST_LOOKUP[program]]:
        return "with dnssec lookups disabled"
    if not settings[TLS_DANE_DIGESTS]:
        return "with no digests in tls_dane_digests"
    return ""


class DaneLookup:
    """Finds TLSA records.  ``digests`` as ``read_digests`` returns them.

    ``probe`` is ``type:name``: asked once, in the background, when the first host turns out not to be
    validated, so that an operator hears of a resolver that does not validate.
    """

    def __init__(self, resolver: Resolver, digests: Sequence[str], log: Log, *, probe: str = "") -> None:
        self._resolver = resolver
        #: Matching types, the preferred first; RFC 7671 9 ranks digests only.
        self._order = [DIGESTS[name][0] for name in digests]
        self._log = log
        self._probe = probe

    async def find(self, host: Host, *, force: bool = False) -> Dane:
        """Look for the records of a host as ``MailHosts`` returned it.

        ``force``: look although the host's zone is not signed (smtp_tls_force_insecure_host_tlsa_lookup).
        LookupUnavailable when it could not look, with Postfix's words; the mail is deferred then, or
        whoever can keep answers away could switch TLS off (RFC 7672 2.1.2).
        """
        if self._probe:
            if not host.secure:
                spawn(self._ask_probe(self._probe), "dnssec probe")
            self._probe = ""
        names = [host.name]
        canonical = host.canonical or host.name
        aliased = canonical.lower() != host.name.lower()
        try:
            if host.secure or force:
                # RFC 7672 2.2.2: the end of a secure chain first, then the name it began with.
                names = [canonical, host.name] if aliased else names
            elif not aliased or not (await self._resolver.query(host.name, "CNAME")).authentic:
                return Dane(DaneState.INSECURE)
            found = Dane(DaneState.NONE)
            for name in names:
                found = await self._at(name, host)
                if found.state is not DaneState.NONE:
                    break
        except LookupUnavailable:
            raise LookupUnavailable(f"TLSA lookup error for {host.name}:{host.port}") from None
        return found

    async def _ask_probe(self, probe: str) -> None:
        kind, _, name = probe.partition(":")
        try:
            if (await self._resolver.query(name, kind.upper())).authentic:
                return
            reason = "a response that is not DNSSEC validated"
        except LookupUnavailable:
            reason = "no response: Host not found, try again"
        self._log.emit(NOT_VALIDATED)
        self._log.emit(NOT_VALIDATED_REASON, probe, reason)

    async def _at(self, name: str, host: Host) -> Dane:
        answer = await self._resolver.query(f"_{host.port}._tcp.{name}", "TLSA")
        if not answer.records or not answer.authentic:
            return Dane(DaneState.NONE)  # RFC 7672 2.1.1: insecure records are as good as none
        usable = [record for each in answer.records if self._usable(record := Tlsa(*each), name)]
        if not usable:
            return Dane(DaneState.UNUSABLE, (), name, host.secure_mx)
        return Dane(DaneState.USABLE, self._strongest(usable), name, host.secure_mx)

    def _usable(self, record: Tlsa, name: str) -> bool:
        reason = self._reason(record)
        if reason:
            self._log.emit(UNUSABLE, name, record.usage, record.selector, record.matching, reason)
        return not reason

    def _reason(self, record: Tlsa) -> str:
        """Return why a record cannot be used, "" when it can."""
        if record.usage not in (2, 3):  # RFC 7672 3.1.3: PKIX usages are not for SMTP
            return "certificate usage not supported"
        if record.selector not in (0, 1):
            return "selector not supported"
        if record.matching == _FULL:
            return _bad_data(record)
        if record.matching not in self._order:
            return "matching type not supported"
        lengths = dict(DIGESTS.values())
        return "" if len(record.data) == lengths[record.matching] else "wrong digest length"

    def _strongest(self, usable: Sequence[Tlsa]) -> tuple[Tlsa, ...]:
        """Leave out what a stronger digest stands beside, for the same usage and selector (RFC 7671 9)."""
        best: dict[tuple[int, int], int] = {}
        for record in usable:
            if record.matching != _FULL:
                rank = self._order.index(record.matching)
                key = record.usage, record.selector
                best[key] = min(best.get(key, rank), rank)
        return tuple(
            dict.fromkeys(
                record
                for record in usable
                if record.matching == _FULL
                or self._order.index(record.matching) == best[record.usage, record.selector]
            )
        )


def _bad_data(record: Tlsa) -> str:
    """Return why the data is no certificate or key, "" when it is one."""
    if len(record.data) > _DATA_LIMIT:
        return "too long"
    try:
        if record.selector == 0:
            x509.load_der_x509_certificate(record.data).public_key()
        else:
            load_der_public_key(record.data)
    except Exception:  # noqa: BLE001 - the codec's own classes: all mean that it is none
        return "malformed certificate" if record.selector == 0 else "malformed public key"
    return ""
