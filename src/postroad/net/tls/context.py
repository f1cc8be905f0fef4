"""OpenSSL's contexts as both sides begin them, and what is noted while a peer is verified."""

from __future__ import annotations

from collections import OrderedDict

from OpenSSL import SSL, crypto

from postroad.net.tls import openssl

_REMEMBERED = 1000  # verdicts


class Verdicts:
    """Which certificates were found trusted: a resumed session shows its certificate, but is not verified."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, bool] = OrderedDict()

    def note(self, der: bytes, trusted: bool) -> None:
        """Remember a verdict; the oldest are forgotten."""
        self._known[der] = trusted
        self._known.move_to_end(der)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def of(self, der: bytes) -> bool:
        """Return a verdict; a forgotten one is no."""
        return self._known.get(der, False)


class Verification(openssl.Signatures):
    """What one handshake finds out about the peer.

    ``errors`` has (depth, OpenSSL's number) of each fault of the peer's chain; none of them ends the
    handshake: what they mean is judged afterwards.
    """

    __slots__ = ("digest", "errors", "server_name", "unmatched_name", "verdicts")

    def __init__(self, digest: str = "sha256", verdicts: Verdicts | None = None) -> None:
        super().__init__()
        self.digest = digest
        self.verdicts = verdicts
        self.errors: list[tuple[int, int]] = []
        self.server_name = ""  # server: what the client asks for by SNI, if there is a chain for it
        self.unmatched_name = ""  # and if there is none

    def trusted(self, der: bytes, *, resumed: bool) -> bool:
        """Return whether the chain of the peer's certificate leads to an authority of ours."""
        if resumed:
            return self.verdicts is not None and self.verdicts.of(der)
        trusted = not self.errors
        if self.verdicts is not None:
            self.verdicts.note(der, trusted)
        return trusted


def new_context() -> SSL.Context:
    """Return a context for either side, without certificates, that verifies nobody."""
    context = SSL.Context(SSL.TLS_METHOD)
    # Renegotiation lets a stranger prefix a session (CVE-2009-3555) and costs us more than him;
    # compression leaks (CRIME).  RELEASE_BUFFERS: an idle session keeps no buffers of 17 KiB.
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    openssl.watch_signatures(context)
    return context


def verify_without_failing(context: SSL.Context, depth: int) -> None:
    """Let the context ask for the peer's certificate and note its faults in the session's Verification."""
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _note_fault)
    context.set_verify_depth(depth)


def _note_fault(connection: SSL.Connection, _cert: crypto.X509, number: int, depth: int, ok: int) -> bool:
    noted = connection.get_app_data()
    if not ok and isinstance(noted, Verification):
        noted.errors.append((depth, number))
    return True
