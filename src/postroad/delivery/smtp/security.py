"""What is asked of a connection before mail goes over it: TLS by the policy, and a login."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.params import Settings
from postroad.delivery.smtp import tls_params as p
from postroad.delivery.smtp.logins import Logins
from postroad.delivery.smtp.tls_engine import TlsEngine
from postroad.delivery.smtp.tls_policy import PROBLEM, PolicyProblem, TlsPolicies, TlsPolicy
from postroad.model.outcome import Outcome
from postroad.model.params import MYHOSTNAME
from postroad.net.dane import Dane, DaneLookup, DaneState, flaw
from postroad.net.destination import BadDestinationError, parse_destination
from postroad.net.hostname import ascii_name, is_hostname
from postroad.net.mailhosts import Host
from postroad.net.tls.client import ClientTls, Offer
from postroad.net.tls.errors import TlsError
from postroad.net.tls.verify import Demand
from postroad.net.tls.verify_chain import Authorities
from postroad.proto.client_values import Peer, Terms
from postroad.proto.sasl.client_values import Credentials

_NO_ENGINE = "TLS is required, but our TLS engine is unavailable"
_NO_OFFER, _NO_DEMAND = Offer("", ""), Demand()
_NO_SERVER = "server unavailable or unable to receive mail"


@dataclass(frozen=True, slots=True)
class Bond:
    """What was agreed on for one connection.

    ``asked`` is the policy as it was found, ``policy`` what TLSA records have made of it.  ``tls`` is None
    where there is none, and ``authorities`` where nobody asks whether a certificate is
    trusted.  ``key`` says which connections may go on with each other's sessions.
    """

    terms: Terms
    asked: TlsPolicy
    policy: TlsPolicy
    tls: ClientTls | None = None
    offer: Offer = _NO_OFFER
    demand: Demand = _NO_DEMAND
    authorities: Authorities | None = None
    key: Hashable = None
    credentials: Credentials | None = None

    @property
    def may_be_plain(self) -> bool:
        """Whether mail may go without TLS after all, when hands could not be shaken.

        Not where we would log in: a server that does not offer that in plain text would refuse the mail.
        """
        return self.policy.level == "may" and self.credentials is None


class _Refused(Exception):  # noqa: N818 - an answer
    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.outcome = Outcome(status, text)


class Security:
    """Finds out what is asked of each connection of one client service.

    ``dane`` None: TLSA records are not looked for.  ``warn`` gets the texts of warnings.
    """

    def __init__(
        self,
        settings: Settings,
        program: str,
        *,
        policies: TlsPolicies,
        engine: TlsEngine,
        dane: DaneLookup | None,
        logins: Logins | None,
        warn: Callable[[str], None],
    ) -> None:
        self.logins = logins
        self.engine = engine
        self._settings = settings
        self._program = program
        self._policies = policies
        self._dane = dane
        self._warn = warn
        self._hostname = settings[MYHOSTNAME]
        self._wrapper = settings[p.TLS_WRAPPERMODE[program]]
        self.loglevel = settings[p.TLS_LOGLEVEL[program]]
        if engine.flaw and not policies.never:
            warn(f"{engine.flaw}: disabling TLS support")

    @property
    def never(self) -> bool:
        """Whether nothing is ever asked of a connection."""
        return self._policies.never and self.logins is None and not self._wrapper

    async def holds(self, nexthop: str, host: str, policy: TlsPolicy) -> bool:
        """Return whether this is still the policy, as it was found."""
        try:
            return await self._policies.find(nexthop, host) == policy
        except PolicyProblem:
            return False

    async def agree(self, peer: Peer, host: Host | None, sender: str) -> Bond | Outcome:
        """Return what is asked of a connection for mail of this sender.

        An Outcome says why there can be no connection.  ``host`` None: a socket in the file system.
        """
        try:
            bond = await self._bond(peer, host)
            credentials = await self._credentials(peer, sender)
        except _Refused as refused:
            return refused.outcome
        except PolicyProblem as problem:
            self._warn(str(problem))
            self._warn(f"TLS policy lookup for {peer.nexthop}/{peer.name}: {PROBLEM}")
            return Outcome("4.7.5", PROBLEM)
        if credentials is not None:
            terms = replace(bond.terms, login=True)
            return replace(bond, terms=terms, credentials=credentials)
        return bond

    async def _credentials(self, peer: Peer, sender: str) -> Credentials | None:
        if self.logins is None:
            return None
        try:
            return await self.logins.find(sender=sender, nexthop=peer.nexthop, host=peer.name, port=peer.port)
        except TableUnavailable as error:
            self._warn(str(error))
            raise _Refused("4.3.0", "SASL password lookup error") from None

    async def _bond(self, peer: Peer, host: Host | None) -> Bond:
        asked = policy = await self._policies.find(peer.nexthop, peer.name)
        found: Dane | None = None
        if not peer.port:
            policy = self._local(policy, peer)
        elif policy.level.startswith("dane") and host is not None:
            policy, found = await self._by_dane(policy, host, peer)
        if self._wrapper and not policy.required:
            names = (p.TLS_WRAPPERMODE[self._program].name, p.TLS_SECURITY_LEVEL[self._program].name)
            self._warn(f'{names[0]} requires "{names[1]} = encrypt" (or stronger)')
            raise _Refused("4.3.0", _NO_SERVER)
        tls = self.engine.tls
        if tls is None and self._wrapper:
            raise _Refused("4.7.5", _NO_ENGINE)
        terms = Terms(
            tls=policy.level != "none",
            required=policy.required,
            wrapper=self._wrapper,
            engine=tls is not None,
        )
        if not terms.tls or tls is None:
            return Bond(terms, asked, policy)
        demand = self._demand(policy, found, peer)
        offer = self._offer(policy, found, peer, anonymous=not demand.level)
        try:
            authorities = self._authorities(policy, demand)
        except TlsError as error:
            raise PolicyProblem(str(error)) from None
        key = (peer.name, peer.address, peer.port, offer)
        return Bond(terms, asked, policy, tls, offer, demand, authorities, key)

    def _local(self, policy: TlsPolicy, peer: Peer) -> TlsPolicy:
        """Return the policy for a socket in the file system."""
        if policy.level == "may":
            text = "opportunistic TLS encryption is not appropriate for unix-domain destinations."
            self._warn(f"{peer.nexthop}: {text}")
            return replace(policy, level="none")
        if policy.level.startswith("dane"):
            raise PolicyProblem(
                f'{peer.nexthop}: the "dane" security level is invalid for delivery via unix-domain sockets'
            )
        return policy

    # --- DANE

    async def _by_dane(self, policy: TlsPolicy, host: Host, peer: Peer) -> tuple[TlsPolicy, Dane | None]:
        """Return the policy that TLSA records make of dane and dane-only (RFC 7672 2.2)."""
        only = policy.level == "dane-only"
        words = flaw(self._settings, self._program)
        if words or self._dane is None:
            self._warn(f"{peer.nexthop}: {policy.level} configured {words}")
            if only:
                raise PolicyProblem(f"{peer.nexthop}: {policy.level} cannot be obeyed")
            return replace(policy, level="may"), None
        if only and not host.secure_mx:
            raise _Refused("4.7.5", "non DNSSEC destination")
        try:
            force = self._settings[p.TLS_FORCE_INSECURE_HOST_TLSA_LOOKUP[self._program]]
            found = await self._dane.find(host, force=force)
        except LookupUnavailable as error:
            # RFC 7672 2.1.2: who can keep answers away must not be able to switch TLS off.
            raise _Refused("4.7.5", str(error)) from None
        if found.state in (DaneState.INSECURE, DaneState.NONE):
            if only:
                raise _Refused("4.7.5", "no TLSA records found")
            return replace(policy, level="may"), None
        if not found.authenticated:
            level = self._settings[p.TLS_DANE_INSECURE_MX_POLICY]
            if level != "dane":
                return replace(policy, level=level), None
        if found.state is DaneState.UNUSABLE:
            if only:
                raise _Refused("4.7.5", "TLSA records unusable")
            return replace(policy, level="encrypt"), None
        return replace(policy, level="dane"), found

    # --- the handshake

    def _demand(self, policy: TlsPolicy, found: Dane | None, peer: Peer) -> Demand:
        program, settings = self._program, self._settings
        nexthop = self._nexthop(peer)
        level, names, fingerprints = "", (), ()  # type: tuple[str, tuple[str, ...], tuple[str, ...]]
        if found is not None:
            level = "dane"
            # RFC 7672 3.2.2: the domain counts when the way from it to the host is secure.
            names = (found.base, *((nexthop, peer.name) if found.authenticated else (peer.name,)))
        elif policy.level == "fingerprint":
            level, fingerprints = "fingerprint", policy.match
        elif policy.level in ("verify", "secure"):
            level = "verify"
            strategies = {"hostname": peer.name, "nexthop": nexthop, "dot-nexthop": f".{nexthop}"}
            names = tuple(strategies.get(each, each) for each in policy.match)
        return Demand(
            level=level,
            names=names,
            fingerprints=fingerprints,
            digest=self.engine.digest,
            records=found.records if found is not None else (),
            depth=settings[p.TLS_SCERT_VERIFYDEPTH[program]],
            multi_label=settings[p.TLS_WILDCARD_MATCHES_MULTIPLE_LABELS],
            secure=found is None or found.authenticated,
        )

    def _offer(self, policy: TlsPolicy, found: Dane | None, peer: Peer, *, anonymous: bool) -> Offer:
        settings, program = self._settings, self._program
        exclude: tuple[str, ...]
        if policy.required:
            protocols, ciphers = p.TLS_MANDATORY_PROTOCOLS, p.TLS_MANDATORY_CIPHERS
            further = settings[p.TLS_MANDATORY_EXCLUDE_CIPHERS[program]]
            exclude = settings[p.TLS_EXCLUDE_CIPHERS[program]]
            exclude += further if policy.exclude is None else policy.exclude
        else:
            protocols, ciphers = p.TLS_PROTOCOLS, p.TLS_CIPHERS
            usual = settings[p.TLS_EXCLUDE_CIPHERS[program]]
            exclude = usual if policy.exclude is None else policy.exclude
        wanted = {"hostname": peer.name, "nexthop": self._nexthop(peer)}
        name = found.base if found is not None else wanted.get(policy.servername, policy.servername)
        name = ascii_name(name) or ""
        return Offer(
            settings[protocols[program]] if policy.protocols is None else policy.protocols,
            settings[ciphers[program]] if policy.ciphers is None else policy.ciphers,
            tuple(each for each in exclude if each),
            anonymous,
            name.rstrip(".") if is_hostname(name) else "",
        )

    def _authorities(self, policy: TlsPolicy, demand: Demand) -> Authorities | None:
        """Return who may vouch, None where nobody would notice."""
        if demand.level == "verify":
            return self.engine.authorities(policy.anchors)
        if not demand.level and self.loglevel:
            return self.engine.authorities(())
        return None

    def _nexthop(self, peer: Peer) -> str:
        """Return the next hop's domain as certificates name it."""
        if not peer.port:
            return self._hostname
        try:
            return parse_destination(peer.nexthop)[0]
        except BadDestinationError:
            return peer.nexthop
