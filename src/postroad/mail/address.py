"""Addresses: their parts, their quoted and unquoted forms, and the keys they are looked up by.

Addresses are ``str``, decoded from UTF-8 with surrogateescape.  The *internal* form has an unquoted
local part (``john smith@example.com``), the *external* form is what RFC 5321 puts on the wire
(``"john smith"@example.com``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# RFC 5321 4.1.2: a Dot-string; whatever else a local part is must be quoted. 8-bit text is taken as atext.
_DOT_STRING = re.compile(r'[^\x00-\x20\x7f()<>@,;:\\".\[\]]+(?:\.[^\x00-\x20\x7f()<>@,;:\\".\[\]]+)*')
_PLAIN = re.compile(r"[A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@[A-Za-z0-9.-]+")
_TO_ESCAPE = re.compile(r'["\\\r\n]')
_QUOTING = re.compile(r'\\(.)|"|\\\Z', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

#: Never taken apart, whatever the delimiter.
_RESERVED = frozenset({"postmaster", "mailer-daemon"})


class Key(NamedTuple):
    """One key to look up.

    ``partial`` keys are pieces of the whole and mean nothing to tables of patterns.  ``extension``
    is what the key leaves out of the local part, delimiter included.
    """

    text: str
    partial: bool = False
    extension: str = ""


def split(address: str) -> tuple[str, str]:
    """Return local part and domain of an internal-form address; the domain is "" when there is none."""
    local, at, domain = address.rpartition("@")
    return (local, domain) if at else (domain, "")


def needs_quotes(local: str) -> bool:
    """Return whether a local part (internal form) must be quoted on the wire."""
    return _DOT_STRING.fullmatch(local) is None


def quote(local: str) -> str:
    """Return a local part as a Quoted-string, needed or not."""
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", local) + '"'


def to_external(address: str) -> str:
    """Return the external form: the local part is quoted where RFC 5321 demands it; "" stays "".

    Control characters stay as they are (CR and LF behind a backslash): who writes the result to a
    protocol refuses them first.
    """
    if not address or _PLAIN.fullmatch(address):
        return address
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    return f"{quote(local)}{at}{domain}" if needs_quotes(local) else address


def to_internal(address: str) -> str:
    """Return the internal form: quotes and backslashes of the local part are gone."""
    if '"' not in address and "\\" not in address:
        return address
    local, at, domain = address.rpartition("@")
    if not at or not _closed(local):
        return _unquote(address)
    return f"{_unquote(local)}{at}{domain}"


def _closed(local: str) -> bool:
    quotes = sum(1 for match in _QUOTING.finditer(local) if match[0] == '"')
    return quotes % 2 == 0


def _unquote(local: str) -> str:
    return _QUOTING.sub(lambda match: match[1] or "", local)


def fold(key: str) -> str:
    """Return a key with its letters' case folded; text that is not UTF-8 only has its ASCII folded."""
    if key.isascii():
        return key.lower()
    if _SURROGATE.search(key):
        return re.sub("[A-Z]+", lambda match: match[0].lower(), key)
    return key.casefold()


def split_extension(local: str, delimiter: str, *, double_bounce: str = "double-bounce", owner_request_special: bool = True) -> tuple[str, str]:  # fmt: skip  # noqa: E501
    """Split a local part at the first character of the set ``delimiter``: (base, extension).

    The extension comes without the delimiter.  ``(local, "")`` when it is not split: no delimiter in
    it, an empty base, a reserved name, or ``owner-list`` and ``list-request`` while "-" is a delimiter.
    """
    at = _extension_at(local, delimiter, double_bounce, owner_request_special)
    return (local[:at], local[at + 1 :]) if at else (local, "")


def _extension_at(local: str, delimiter: str, double_bounce: str, owner_special: bool) -> int:
    """Return where the delimiter stands, 0 when the local part is not to be split."""
    found = [at for char in delimiter if (at := local.find(char)) >= 0]
    at = min(found, default=0)
    if at == 0:
        return 0
    lowered = local.lower()
    if lowered in _RESERVED or lowered == double_bounce.lower():
        return 0
    if "-" in delimiter and owner_special and _is_list_role(lowered):
        return 0
    return at


def _is_list_role(lowered: str) -> bool:
    return lowered.startswith("owner-") or (len(lowered) > 8 and lowered.endswith("-request"))


class Extensions(NamedTuple):
    """How local parts are split: ``recipient_delimiter`` and the parameters that make exceptions."""

    delimiter: str = ""
    double_bounce: str = "double-bounce"
    owner_request_special: bool = True

    def strip(self, local: str) -> tuple[str, str]:
        """Return the base and the extension with its delimiter; the latter "" when it is not split."""
        if not self.delimiter:
            return local, ""
        at = _extension_at(local, self.delimiter, self.double_bounce, self.owner_request_special)
        return (local[:at], local[at:]) if at else (local, "")


def lookup_keys(address: str, delimiter: str | Extensions, *, local: bool = False, at_domain: bool = True) -> list[Key]:  # fmt: skip  # noqa: E501
    """Return the keys of an internal-form address in the order of virtual(5) and canonical(5).

    user+ext@domain, user@domain; when ``local`` (the domain is $myorigin or one of ours) also
    user+ext, user; and at last @domain, unless ``at_domain`` is off.  A user with an @ in it is no key:
    it could be the address of somebody else.
    """
    extensions = delimiter if isinstance(delimiter, Extensions) else Extensions(delimiter)
    name, at, domain = address.rpartition("@")
    if not at:
        name, domain = domain, ""
    base, extension = extensions.strip(name)
    keys = [Key(address)]
    if extension:
        keys.append(Key(f"{base}{at}{domain}", True, extension))
    if not at:
        return keys
    if local and "@" not in name:
        keys.append(Key(name, True))
        if extension:
            keys.append(Key(base, True, extension))
    if at_domain:
        keys.append(Key(f"@{domain}", True))
    return keys


def transport_keys(address: str, delimiter: str | Extensions, *, parents: bool = False) -> list[Key]:
    """Return the keys of transport(5): user+ext@domain, user@domain, domain, .parent of each level.

    ``parents``: transport_maps is in parent_domain_matches_subdomains; parents have no dot then.
    The wild-card ``*`` is not among them.
    """
    domain = address.rpartition("@")[2] if "@" in address else ""
    return [
        *lookup_keys(address, delimiter, at_domain=False),
        *(Key(key.text, True) for key in domain_keys(domain, parents=parents)),
    ]


def access_keys(address: str, delimiter: str | Extensions, *, parents: bool = True) -> list[Key]:
    """Return the keys of access(5) for a mail address: those of transport(5), then ``user@``.

    ``parents``: smtpd_access_maps is in parent_domain_matches_subdomains.
    """
    extensions = delimiter if isinstance(delimiter, Extensions) else Extensions(delimiter)
    name, at, domain = address.rpartition("@")
    if not at:
        return transport_keys(address, extensions, parents=parents)
    base, extension = extensions.strip(name)
    if not extension:
        return [Key(address), *_pieces(domain, parents), Key(f"{name}@", True)]
    whole, local = Key(f"{base}@{domain}", True, extension), Key(f"{base}@", True, extension)
    return [Key(address), whole, *_pieces(domain, parents), Key(f"{name}@", True), local]


@lru_cache(1000)
def _pieces(domain: str, parents: bool) -> tuple[Key, ...]:
    return tuple(Key(key.text, True) for key in domain_keys(domain, parents=parents))


def domain_keys(domain: str, *, parents: bool = True) -> list[Key]:
    """Return a domain and its parents, as example.com or (``parents`` off) .example.com."""
    keys = [Key(domain)]
    at = domain.find(".", 1)
    while at >= 0:
        keys.append(Key(domain[at + 1 :] if parents else domain[at:], True))
        at = domain.find(".", at + 1)
    return [key for key in keys if key.text]


def network_keys(address: str) -> list[Key]:
    """Return an IP address and its leading pieces: 192.0.2.7, 192.0.2, 192.0, 192."""
    separator = ":" if ":" in address else "."
    keys = [Key(address)]
    while separator in address:
        address = address.rpartition(separator)[0]
        keys.append(Key(address, True))
    return keys
