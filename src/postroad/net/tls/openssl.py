"""What OpenSSL can do and pyOpenSSL has no public name for.  The only user of its private parts.

Each function does without where the library in use has not got the thing: a fact is then "not known",
an option "not obeyed".
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Any

from OpenSSL import SSL

_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)

_LIBRARIES = 64  # OpenSSL's libraries have numbers below this
#: Where the numbers of reasons are: a library's own (alerts are 1000 + their number), and those of all.
_REASONS = (range(1, 1200), range(0x80100, 0x80140), range(0xC0100, 0xC0140))
_TLS13 = 0x0304
_HANDSHAKE = 22
_CERTIFICATE_VERIFY = 15


@cache
def error_code(library: str, reason: str) -> int:
    """Return OpenSSL's number for an error of which pyOpenSSL tells the words only; 0 if unknown."""
    SSL.Context(SSL.TLS_METHOD)  # loads the words
    for number in range(1, _LIBRARIES):
        if _string(_lib.ERR_lib_error_string(number << 23)) == library:
            for each in chain(*_REASONS):
                if _string(_lib.ERR_reason_error_string(number << 23 | each)) == reason:
                    return number << 23 | each
    return 0


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


class Signatures:
    """The signature schemes of TLS 1.3 (RFC 8446 4.2.3) that the two sides used, 0 for none.

    As a connection's app data it is filled in while hands are shaken, if the context watches.
    """

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0


def watch_signatures(context: SSL.Context) -> None:
    """Let the context's connections note the schemes of their CertificateVerify (RFC 8446 4.4.3)."""
    _lib.SSL_CTX_set_msg_callback(_context(context), _watcher())


@cache
def _watcher() -> Any:
    """Return the callback for each message of a handshake; OpenSSL keeps its bare address."""
    connections = SSL.Connection._reverse_mapping  # noqa: SLF001

    def message(sent: int, version: int, kind: int, data: Any, size: int, ssl: Any, _: Any) -> None:
        if kind != _HANDSHAKE or version != _TLS13 or size < 6:
            return
        head = _ffi.buffer(data, 6)[:]
        if head[0] != _CERTIFICATE_VERIFY:
            return
        connection = connections.get(ssl)
        noted = connection.get_app_data() if connection is not None else None
        if isinstance(noted, Signatures):
            scheme = int.from_bytes(head[4:6], "big")
            if sent:
                noted.sent = scheme
            else:
                noted.received = scheme

    return _ffi.callback("void (*)(int, int, int, const void *, size_t, SSL *, void *)", message)


def _ssl(connection: SSL.Connection) -> Any:
    return connection._ssl  # noqa: SLF001


def _context(context: SSL.Context) -> Any:
    return context._context  # noqa: SLF001
