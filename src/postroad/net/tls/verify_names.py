"""Which names a certificate is for, and whether a wanted one is among them (RFC 6125, as Postfix does it)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID

from postroad.net.hostname import ascii_name

#: Names of one certificate that are looked at; with more, who made it is up to something.
_NAMES_LIMIT = 10_000


def certificate_names(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names of a certificate; the common name only counts when it has none.

    What cannot be a host name is left out: a NUL in it has made one name look like another.  A
    certificate whose names cannot be read has none.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    except Exception:  # noqa: BLE001 - the codec's own classes: all mean that there is nothing to read
        return []
    if not names:  # RFC 6125 6.4.4
        names = [value for each in _common_names(certificate) if isinstance(value := each.value, str)][-1:]
    return [name.lower() for name in names[:_NAMES_LIMIT] if _sound(name)]


def _common_names(certificate: x509.Certificate) -> Sequence[x509.NameAttribute[str | bytes]]:
    try:
        return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except Exception:  # noqa: BLE001 - as above
        return ()


def _sound(name: str) -> bool:
    return 0 < len(name) <= 255 and name.isascii() and name.isprintable() and " " not in name


def match_name(names: Iterable[str], wanted: Iterable[str], *, multi_label: bool = True) -> str:
    """Return the first of a certificate's names that is a wanted one, "" if none is.

    A wanted ``.example.com`` stands for every name below example.com.  ``*`` counts as the first
    label of a certificate's name only; ``multi_label`` lets it stand for several.
    """
    patterns = [made for each in wanted if (made := ascii_name(each.rstrip(".")) or "").strip(".")]
    for name in names:
        for pattern in patterns:
            if _is(name.removesuffix("."), pattern.lower(), multi_label=multi_label):
                return name
    return ""


def _is(name: str, pattern: str, *, multi_label: bool) -> bool:
    if pattern.startswith("."):
        return len(name) > len(pattern) and name.endswith(pattern)
    if not name.startswith("*."):
        return name == pattern
    tail = name[1:]
    if tail.count(".") < 2 or "*" in tail:  # *.com is for nobody
        return False
    head = pattern.removesuffix(tail)
    return head not in ("", pattern) and (multi_label or "." not in head)
