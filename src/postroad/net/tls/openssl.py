"""What OpenSSL can do and pyOpenSSL has no public name for.  The only user of its private parts.

Each function does without where the library in use has not got the thing: a fact is then "not known",
an option "not obeyed".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from OpenSSL import SSL

_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)

#: OpenSSL's numbers of the libraries whose errors we meet.
_LIBRARIES = (20, 11, 6, 9, 4, 13, 16, 8, 15, 60)  # SSL, X509, EVP, PEM, RSA, ASN1, EC, OBJ, CRYPTO, DECODER
_REASONS = 1200  # TLS alerts are 1000 + the alert's number
_TLS13 = 0x0304
_HANDSHAKE = 22
_CERTIFICATE_VERIFY = 15


@cache
def error_codes() -> dict[tuple[str, str], int]:
    """Return OpenSSL's error numbers by (library, reason)."""
    found: dict[tuple[str, str], int] = {}
    SSL.Context(SSL.TLS_METHOD)  # loads the words
    for library in _LIBRARIES:
        name = _string(_lib.ERR_lib_error_string(library << 23))
        for number in range(1, _REASONS):
            code = library << 23 | number
            reason = _string(_lib.ERR_reason_error_string(code))
            if name and reason:
                found.setdefault((name, reason), code)
    return found


def _string(pointer: Any) -> str:
    return "" if pointer == _ffi.NULL else _ffi.string(pointer).decode("ascii", "replace")


def resumed(connection: SSL.Connection) -> bool:
    """Return whether the session goes on from an earlier one."""
    return bool(_lib.SSL_session_reused(_ssl(connection)))


def extended_master_secret(connection: SSL.Connection) -> bool:
    """Return whether the session's secret is bound to its handshake (RFC 7627); TLS 1.3's always is."""
    return bool(
        _lib.SSL_version(_ssl(connection)) >= _TLS13 or _lib.SSL_get_extms_support(_ssl(connection)) == 1
    )


def cipher_bits(connection: SSL.Connection) -> tuple[int, int]:
    """Return the key's bits that count, and the bits that the algorithm takes."""
    cipher = _lib.SSL_get_current_cipher(_ssl(connection))
    if cipher == _ffi.NULL:
        return 0, 0
    whole = _ffi.new("int *")
    used = _lib.SSL_CIPHER_get_bits(cipher, whole)
    return int(used), int(whole[0])


def set_groups(context: SSL.Context, names: str) -> bool:
    """Set the groups for key exchange, best first, parted by colons.  False if one is unknown."""
    done = _lib.SSL_CTX_set1_curves_list(_context(context), names.encode("ascii", "replace")) == 1
    _lib.ERR_clear_error()
    return bool(done)


def watch_signatures(context: SSL.Context, seen: Callable[[SSL.Connection, bool, int], None]) -> None:
    """Call ``seen(connection, sent, scheme)`` for each CertificateVerify of TLS 1.3 (RFC 8446 4.4.3).

    ``sent``: we signed.  ``scheme`` is the number of RFC 8446 4.2.3.
    """

    def message(sent: int, version: int, kind: int, data: Any, size: int, ssl: Any, _: Any) -> None:
        if kind != _HANDSHAKE or version != _TLS13 or size < 6:
            return
        head = _ffi.buffer(data, 6)[:]
        if head[0] == _CERTIFICATE_VERIFY:
            connection = SSL.Connection._reverse_mapping.get(ssl)  # noqa: SLF001
            if connection is not None:
                seen(connection, bool(sent), int.from_bytes(head[4:6], "big"))

    callback = _ffi.callback("void (*)(int, int, int, const void *, size_t, SSL *, void *)", message)
    # It must live as long as the context: OpenSSL keeps the bare address.
    context._postroad_message = callback  # noqa: SLF001
    _lib.SSL_CTX_set_msg_callback(_context(context), callback)


def _ssl(connection: SSL.Connection) -> Any:
    return connection._ssl  # noqa: SLF001


def _context(context: SSL.Context) -> Any:
    return context._context  # noqa: SLF001
