"""Protocols, ciphers, groups and options as main.cf writes them, for server and client alike.

The functions that read say what is wrong by ValueError; ``restrict`` puts the result into a context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from OpenSSL import SSL

from postroad.base.params import Settings
from postroad.net.tls import openssl
from postroad.net.tls.params import (
    TLS_DISABLE_WORKAROUNDS,
    TLS_EECDH_AUTO_CURVES,
    TLS_EXPORT_CIPHERLIST,
    TLS_FFDHE_AUTO_GROUPS,
    TLS_HIGH_CIPHERLIST,
    TLS_LOW_CIPHERLIST,
    TLS_MEDIUM_CIPHERLIST,
    TLS_NULL_CIPHERLIST,
    TLS_PREEMPT_CIPHERLIST,
    TLS_SSL_OPTIONS,
)

_SSLV2: Final = 0x0002
_VERSIONS: Final = {
    "sslv2": _SSLV2,
    "sslv3": 0x0300,
    "tlsv1": 0x0301,
    "tlsv1.1": 0x0302,
    "tlsv1.2": 0x0303,
    "tlsv1.3": 0x0304,
}
_NEWEST: Final = 0x0304
_OFF: Final = {
    0x0300: SSL.OP_NO_SSLv3,
    0x0301: SSL.OP_NO_TLSv1,
    0x0302: SSL.OP_NO_TLSv1_1,
    0x0303: SSL.OP_NO_TLSv1_2,
    0x0304: SSL.OP_NO_TLSv1_3,
}
_NUMBER: Final = re.compile(r"(?:0x)?0*([0-9a-f]{1,4})")
_GRADES: Final = {
    "high": TLS_HIGH_CIPHERLIST,
    "medium": TLS_MEDIUM_CIPHERLIST,
    "low": TLS_LOW_CIPHERLIST,
    "export": TLS_EXPORT_CIPHERLIST,
    "null": TLS_NULL_CIPHERLIST,
}
#: Options of OpenSSL that pyOpenSSL has no name for.
_OPTIONS: Final = {
    "ENABLE_MIDDLEBOX_COMPAT": 1 << 20,
    "PRIORITIZE_CHACHA": 1 << 21,
    "NO_SESSION_RESUMPTION_ON_RENEGOTIATION": 1 << 16,
}
_OPTION_NAMES: Final = (
    *_OPTIONS,
    "LEGACY_SERVER_CONNECT",
    "NO_TICKET",
    "NO_COMPRESSION",
    "NO_RENEGOTIATION",
)
#: Workarounds; those without a bit were removed from OpenSSL.
_WORKAROUNDS: Final = {
    "CRYPTOPRO_TLSEXT_BUG": 1 << 31,
    "DONT_INSERT_EMPTY_FRAGMENTS": 1 << 11,
    "LEGACY_SERVER_CONNECT": 1 << 2,
    "SAFARI_ECDHE_ECDSA_BUG": 1 << 6,
    "TLSEXT_PADDING": 1 << 4,
    "MICROSOFT_BIG_SSLV3_BUFFER": 0,
    "MICROSOFT_SESS_ID_BUG": 0,
    "MSIE_SSLV2_RSA_PADDING": 0,
    "CVE-2005-2969": 0,
    "NETSCAPE_CHALLENGE_BUG": 0,
    "NETSCAPE_REUSE_CIPHER_CHANGE_BUG": 0,
    "CVE-2010-4180": 0,
    "SSLEAY_080_CLIENT_DH_BUG": 0,
    "SSLREF2_REUSE_CERT_TYPE_BUG": 0,
    "TLS_BLOCK_PADDING_BUG": 0,
    "TLS_D5_BUG": 0,
    "TLS_ROLLBACK_BUG": 0,
}
_ALL_WORKAROUNDS: Final = 1 << 31 | 1 << 11 | 1 << 6 | 1 << 4  # OpenSSL's SSL_OP_ALL


@dataclass(frozen=True, slots=True)
class Protocols:
    """Versions of TLS, by the numbers of the wire: 0x0303 is TLSv1.2.  0 for no bound."""

    lowest: int = 0
    highest: int = 0
    excluded: frozenset[int] = frozenset()

    def allows(self, version: int) -> bool:
        """Return whether this version may be used."""
        above = self.lowest <= version
        return above and (not self.highest or version <= self.highest) and version not in self.excluded


def protocols(text: str) -> Protocols:
    """Read a list of protocols: bounds (``>=TLSv1.2``), exclusions (``!SSLv3``), or names to allow.

    ValueError if a name is unknown, or no protocol is left.
    """
    lowest = highest = 0
    named: set[int] = set()
    excluded: set[int] = set()
    for item in re.split(r"[\s,:]+", text.strip()):
        if item.startswith(">="):
            lowest = _version(item[2:], item)
        elif item.startswith("<="):
            highest = _version(item[2:], item)
        elif item.startswith("!"):
            excluded.add(_name(item[1:], item))
        elif item:
            named.add(_name(item, item))
    if named:
        excluded |= set(_VERSIONS.values()) - named
    found = Protocols(lowest, highest, frozenset(excluded))
    if not any(found.allows(version) for version in _OFF):
        raise ValueError(f'no TLS protocol is left by "{text}"')
    return found


def _name(text: str, item: str) -> int:
    try:
        return _VERSIONS[text.lower()]
    except KeyError:
        raise ValueError(f'unknown TLS protocol "{item}"') from None


def _version(text: str, item: str) -> int:
    if text.lower() in _VERSIONS:
        return _VERSIONS[text.lower()]
    match = _NUMBER.fullmatch(text.lower())
    if match is None:
        raise ValueError(f'unknown TLS protocol "{item}"')
    return int(match[1], 16)


def cipher_list(settings: Settings, grade: str, exclude: Iterable[str] = ()) -> str:
    """Return OpenSSL's list for a grade (high, medium, low, export, null) without what is excluded.

    TLS 1.3 has ciphers of its own, which no list excludes.  ValueError for an unknown grade, or an
    exclusion that is not one.
    """
    try:
        param = _GRADES[grade.strip().lower()]
    except KeyError:
        raise ValueError(f'invalid TLS cipher grade: "{grade}"') from None
    parts = [settings[param]]
    for item in exclude:
        if not re.fullmatch(r"[A-Za-z0-9+_=.-]+", item) or item[0] in "+-":
            raise ValueError(f'invalid unquoted text in TLS cipher exclusion: "{item}"')
        parts.append(f"!{item}")
    # Ciphers of the last century, which the OpenSSL of distributions is built without.
    parts += [f"!{name}" for name in ("SEED", "IDEA") if name not in parts[0]]
    if "@SECLEVEL" not in parts[0]:
        # What is allowed is what these lists say, as in Postfix: anonymous ciphers and old protocols
        # are below the level that OpenSSL begins with.
        parts.append("@SECLEVEL=0")
    return ":".join(parts)


def option_bits(names: tuple[str, ...]) -> int:
    """Return OpenSSL's bits for tls_ssl_options."""
    bits = 0
    for name in names:
        upper = name.upper()
        if upper.startswith("0X"):
            bits |= _hexadecimal(name)
        elif upper in _OPTION_NAMES:
            bits |= _OPTIONS.get(upper) or int(getattr(SSL, f"OP_{upper}"))
        else:
            raise ValueError(f'unknown TLS option "{name}"')
    return bits


def workaround_bits(disabled: tuple[str, ...]) -> int:
    """Return OpenSSL's bits for the workarounds that tls_disable_workarounds leaves on."""
    off = 0
    for name in disabled:
        if name.upper().startswith("0X"):
            off |= _hexadecimal(name)
        elif name.upper() in _WORKAROUNDS:
            off |= _WORKAROUNDS[name.upper()]
        else:
            raise ValueError(f'unknown TLS workaround "{name}"')
    return _ALL_WORKAROUNDS & ~off


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise ValueError(f'not a hexadecimal number: "{text}"') from None


def restrict(context: SSL.Context, settings: Settings, allowed: Protocols, ciphers: str) -> None:
    """Put protocols, ciphers and the options of both sides into a context.  ValueError if OpenSSL refuses."""
    bits = option_bits(settings[TLS_SSL_OPTIONS]) | workaround_bits(settings[TLS_DISABLE_WORKAROUNDS])
    bits |= SSL.OP_NO_SSLv3
    for version in allowed.excluded:
        bits |= _OFF.get(version, 0)
    if settings[TLS_PREEMPT_CIPHERLIST]:
        bits |= SSL.OP_CIPHER_SERVER_PREFERENCE
    context.set_options(bits)
    # A bound that OpenSSL does not know is out of its range: it is no bound.
    context.set_min_proto_version(allowed.lowest if allowed.lowest in _OFF else 0x0301)
    context.set_max_proto_version(allowed.highest if allowed.highest in _OFF else 0)
    try:
        context.set_cipher_list(ciphers.encode("ascii", "replace"))
    except SSL.Error:
        raise ValueError(f'no cipher of OpenSSL matches the list "{ciphers}"') from None


def set_groups(context: SSL.Context, names: Iterable[str]) -> None:
    """Let a context exchange keys in these groups, best first.

    Those that OpenSSL does not know are left out; no names mean OpenSSL's own choice.  ValueError if all
    of them are unknown.
    """
    wanted = list(names)
    known = [name for name in wanted if openssl.set_groups(context, name)]
    if known:
        openssl.set_groups(context, ":".join(known))
    elif wanted:
        raise ValueError(f'no group of OpenSSL is among "{" ".join(wanted)}"')


def set_usual_groups(context: SSL.Context, settings: Settings) -> None:
    """Let a context exchange keys in the groups of tls_eecdh_auto_curves and tls_ffdhe_auto_groups."""
    curves = settings[TLS_EECDH_AUTO_CURVES]
    if curves:
        set_groups(context, (*curves, *settings[TLS_FFDHE_AUTO_GROUPS]))
