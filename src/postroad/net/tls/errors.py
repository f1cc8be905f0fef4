"""What can go wrong with TLS, in OpenSSL's words."""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL

from postroad.base.errors import PostroadError
from postroad.net.tls import openssl


class TlsError(PostroadError):
    """TLS cannot go on, or cannot be set up.

    ``str()`` is what Postfix logs behind ``TLS library problem: `` when OpenSSL was the one to say no
    (``error:0A00010B:SSL routines::wrong version number``), and a sentence otherwise.
    """


class NotGiven(TlsError):  # noqa: N818 - a state of the file, not a defect
    """A file that is named is not among those that were read."""


def reason_of(error: BaseException) -> str:
    """Return the text for an exception of pyOpenSSL's: OpenSSL's errors, the first of its list."""
    if isinstance(error, SSL.ZeroReturnError):
        return "the connection was closed"
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1])
    first = error.args[0] if error.args else ()
    if isinstance(first, Sequence) and not isinstance(first, str) and first:
        library, _function, reason = first[0]
        return f"error:{openssl.error_code(library, reason):08X}:{library}::{reason}"
    return str(error) or type(error).__name__
