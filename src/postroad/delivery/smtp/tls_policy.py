"""How sure a connection to a next hop must be: smtp_tls_security_level and the tables that override it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from postroad.base.errors import TableUnavailable
from postroad.base.params import Settings
from postroad.delivery.smtp import tls_params as p
from postroad.net.hostname import is_hostname
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

#: From the least sure to the surest; the two between are what TLSA records make of themselves.
_ORDER = {name: number for number, name in enumerate(p.LEVELS)}
_SEPARATORS = re.compile(r"[\s,]+")
_NAMES = re.compile(r"[\s,:]+")
_REQUIRES_MATCH = frozenset({"fingerprint", "verify", "secure"})
_SITES = {"NONE": "none", "MAY": "may", "MUST_NOPEERMATCH": "encrypt", "MUST": "verify"}
PROBLEM = "client TLS configuration problem"


class PolicyProblem(Exception):  # noqa: N818 - the operator's, not ours
    """The policy cannot be read, or not be found out; ``str()`` is a warning, in Postfix's words.  Defer."""


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What is asked of a connection.

    ``match`` are names, ``.names`` and strategies, or at the level fingerprint digests, as lower-case
    digits.  ``protocols``, ``ciphers`` and ``exclude`` None: those of main.cf for the level.
    """

    level: str = "none"
    protocols: str | None = None
    ciphers: str | None = None
    exclude: tuple[str, ...] | None = None
    match: tuple[str, ...] = ()
    servername: str = ""
    anchors: tuple[str, ...] = ()
    reuse: bool = False

    @property
    def required(self) -> bool:
        """Whether nothing may be sent without TLS."""
        return self.level not in ("none", "may")


@dataclass(slots=True)
class _Draft:
    """The attributes of a table's answer, while they are read."""

    values: dict[str, str] = field(default_factory=dict)
    match: list[str] = field(default_factory=list)
    anchors: list[str] = field(default_factory=list)


class TlsPolicies:
    """The policies of one client program.  ``warn`` gets the text of a warning that stops nothing."""

    def __init__(self, settings: Settings, program: str, tables: TableContext, warn: Callable[[str], None]) -> None:  # fmt: skip  # noqa: E501
        self._warn = warn
        self._level = default_level(settings, program)
        self._table_name = p.TLS_POLICY_MAPS[program].name
        self._site_name = p.TLS_PER_SITE[program].name
        policies = settings[p.TLS_POLICY_MAPS[program]]
        sites = settings[p.TLS_PER_SITE[program]]
        self._maps = Maps(policies, tables)
        self._sites = Maps(() if policies else sites, tables)
        self._usual = TlsPolicy(
            self._level,
            servername=settings[p.TLS_SERVERNAME[program]],
            reuse=settings[p.TLS_CONNECTION_REUSE[program]],
        )
        fingerprints = settings[p.TLS_FINGERPRINT_CERT_MATCH[program]]
        self._servername_param = p.TLS_SERVERNAME[program].name
        self._names = {
            "verify": _names(settings[p.TLS_VERIFY_CERT_MATCH[program]]),
            "secure": _names(settings[p.TLS_SECURE_CERT_MATCH[program]]),
            "fingerprint": tuple(_digits(each) for each in fingerprints),
        }
        self._anchors = settings[p.TLS_TRUST_ANCHOR_FILE[program]]

    @property
    def never(self) -> bool:
        """Whether nothing can make a connection use TLS."""
        return self._level == "none" and not self._maps and not self._sites

    async def find(self, nexthop: str, host: str) -> TlsPolicy:
        """Return the policy of a next hop, as routing wrote it; raises PolicyProblem."""
        try:
            policy = await self._looked_up(nexthop, host)
        except TableUnavailable as error:
            self._warn(str(error))
            where = f'{self._table_name if self._maps else self._site_name}, next-hop destination "{nexthop}"'
            raise PolicyProblem(f"{where}: policy table lookup error") from None
        return self._completed(policy, nexthop)

    async def _looked_up(self, nexthop: str, host: str) -> TlsPolicy:
        if self._maps:
            # Only a domain has domains above it; [host] and host:port are names of nothing else.
            keys = [nexthop, *(parents(nexthop) if is_hostname(nexthop) else ())]
            for key in keys:
                value = await self._maps.find(key)
                if value is not None:
                    return self._read(value, f'{self._table_name}, next-hop destination "{key}"')
        elif self._sites:
            level = await self._site(nexthop, "", "next-hop destination")
            if host.lower() != nexthop.lower():
                level = await self._site(host, level, "server hostname")
            # A MAY for many does not undo what main.cf demands of all.
            if level and not (level == "may" and _ORDER[self._level] > _ORDER["may"]):
                return replace(self._usual, level=level)
        return self._usual

    async def _site(self, name: str, level: str, kind: str) -> str:
        """Return the level after one look-up in smtp_tls_per_site; "" while there is none."""
        value = await self._sites.find(name)
        if value is None:
            return level
        found = _SITES.get(value.upper())
        if found is None:
            raise PolicyProblem(f"{self._site_name}: unknown TLS policy '{value}' for {kind} {name}")
        if found == "none":
            return "none" if level in ("", "none", "may") else level
        if found == "may":
            return level or "may"
        return found if not level or _ORDER[level] < _ORDER[found] else level

    # --- a table's answer

    def _read(self, value: str, where: str) -> TlsPolicy:
        """Read ``LEVEL name=value ...``."""
        level, *attributes = _SEPARATORS.split(value.strip(" \t\r\n,"))
        level = level.lower()
        if not level:
            raise PolicyProblem(f"{where}: invalid empty policy")
        if level not in _ORDER:
            raise PolicyProblem(f'{where}: invalid security level "{level}"')
        if level == "none":
            for attribute in attributes[:1]:
                self._warn(f'{where}: ignoring attribute "{attribute}" with TLS disabled')
            return TlsPolicy("none")
        draft = _Draft()
        for attribute in attributes:
            _take(draft, level, attribute, where)
        values = draft.values
        return TlsPolicy(
            level,
            values.get("protocols"),
            values.get("ciphers"),
            tuple(values["exclude"].split(":")) if "exclude" in values else None,
            tuple(draft.match),
            values.get("servername", self._usual.servername),
            tuple(draft.anchors),
            values["connection_reuse"] == "yes" if "connection_reuse" in values else self._usual.reuse,
        )

    def _completed(self, policy: TlsPolicy, nexthop: str) -> TlsPolicy:
        """Add what main.cf says where the table is silent; raises PolicyProblem."""
        name = policy.servername
        if policy.level != "none" and name and name not in ("hostname", "nexthop") and not is_hostname(name):
            raise PolicyProblem(f'"{self._servername_param} = {name}" specifies an invalid hostname')
        if policy.level not in _REQUIRES_MATCH:
            return policy
        match = policy.match or self._names[policy.level]
        if policy.level == "fingerprint" and not match:
            raise PolicyProblem(
                f"nexthop domain {nexthop}: configured at fingerprint security level,"
                " but with no fingerprints to match."
            )
        anchors = policy.anchors or self._anchors
        return replace(policy, match=match, anchors=() if policy.level == "fingerprint" else anchors)


def _take(draft: _Draft, level: str, attribute: str, where: str) -> None:
    """Put one attribute into the draft; raises PolicyProblem."""
    name, equals, value = attribute.partition("=")
    name = name.lower()
    if not equals:
        raise PolicyProblem(
            f"{where}: malformed attribute/value pair \"{attribute}\": missing '=' after attribute name"
        )
    invalid = PolicyProblem(f'{where}: attribute "{name}" invalid at security level "{level}"')
    if name not in _ATTRIBUTES:
        raise PolicyProblem(f'{where}: invalid attribute name: "{name}"')
    if not value and name not in ("exclude", "protocols"):  # without any, all may be used
        raise PolicyProblem(f'{where}: attribute "{name}" has empty value')
    if name == "match":
        if level not in _REQUIRES_MATCH:
            raise invalid
        draft.match += map(_digits, value.split("|")) if level == "fingerprint" else _names(value)
        return
    if name == "tafile":
        if level not in ("verify", "secure"):
            raise invalid
        draft.anchors.append(value)
        return
    if name in draft.values:
        raise PolicyProblem(f'{where}: attribute "{name}" is specified multiple times')
    if name == "connection_reuse":
        value = value.lower()
        if value not in ("yes", "no"):
            raise PolicyProblem(f'{where}: attribute "{name}" has bad value: "{value}"')
    draft.values[name] = value


_ATTRIBUTES = frozenset(
    {"protocols", "ciphers", "exclude", "match", "servername", "tafile", "connection_reuse"}
)


def default_level(settings: Settings, program: str) -> str:
    """Return the level of main.cf: the new parameter, or else what the old ones say."""
    level = settings[p.TLS_SECURITY_LEVEL[program]]
    if level:
        return level
    if settings[p.ENFORCE_TLS[program]]:
        return "verify" if settings[p.TLS_ENFORCE_PEERNAME[program]] else "encrypt"
    return "may" if settings[p.USE_TLS[program]] else "none"


def parents(domain: str) -> list[str]:
    """Return ``.b.c`` and ``.c`` for ``a.b.c``."""
    labels = domain.split(".")
    return ["." + ".".join(labels[number:]) for number in range(1, len(labels))]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in _NAMES.split(text) if name)


def _digits(text: str) -> str:
    return text.replace(":", "").lower()
