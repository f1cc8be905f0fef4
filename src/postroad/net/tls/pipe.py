"""TLS without a socket: bytes of the wire go in, plain text comes out, and the other way."""

from __future__ import annotations

from OpenSSL import SSL, crypto

from postroad.model.tls import PeerCertificate, TlsFacts
from postroad.net.tls import facts, openssl
from postroad.net.tls.context import Verification
from postroad.net.tls.errors import TlsError, reason_of

_RECORD = 16384  # RFC 8446 5.1
_PIECE = 65536
#: Bytes that may come without any plain text: a handshake with a client's long chain of certificates is
#: smaller (OpenSSL takes 100 KiB of them), and nobody has a reason to send more key updates than this.
_SILENT_LIMIT = 256 * 1024


class TlsPipe:
    """One session's TLS.  Whatever it is told to do, ``take`` has what must go out on the wire next.

    After TlsError the session is over: nothing more is read, ``take`` has the alert for the peer.
    """

    __slots__ = (
        "_connection",
        "_failed",
        "_out",
        "_server",
        "_silent",
        "closed",
        "established",
        "verification",
    )

    def __init__(self, connection: SSL.Connection, *, server: bool, verification: Verification | None = None) -> None:  # fmt: skip  # noqa: E501
        self._connection = connection
        self._server = server
        self._out: list[bytes] = []
        self._silent = 0
        self._failed = False
        #: What is found out about the peer's certificate while hands are shaken.
        self.verification = verification if verification is not None else Verification()
        self.established = False
        #: The peer has said that it sends no more (close_notify): what comes now is not read.
        self.closed = False
        # No reference back to us: a cycle would keep every session until the collector comes.
        connection.set_app_data(self.verification)
        if server:
            connection.set_accept_state()
        else:
            connection.set_connect_state()

    @property
    def connection(self) -> SSL.Connection:
        """OpenSSL's end, for what verifies a server."""
        return self._connection

    def start(self) -> None:
        """Client: make the first message."""
        self._shake()

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the wire and return the plain text that is complete, b"" for none.

        TlsError when the peer breaks the rules, or does not accept ours.
        """
        if self.closed or self._failed:
            return b""
        self._silent += len(data)
        self._connection.bio_write(data)
        if not self.established and not self._shake():
            self._limit()
            return b""
        plain = self._read()
        if plain:
            self._silent = 0
        else:
            self._limit()
        return plain

    def send(self, data: bytes) -> None:
        """Encrypt plain text.  Only when established."""
        if self._failed:
            return
        connection, view, at = self._connection, memoryview(data), 0
        try:
            while at < len(view):
                at += connection.send(view[at : at + _RECORD])
        except SSL.Error as error:
            raise self._broken(error) from None

    def take(self) -> bytes:
        """Return what has to go out on the wire now, b"" for nothing."""
        pieces: list[bytes] = []
        try:
            while True:
                piece = self._connection.bio_read(_PIECE)
                if len(piece) < _PIECE and not pieces:
                    return piece  # nearly always: no second look to be told that there is no more
                pieces.append(piece)
        except SSL.WantReadError:
            return b"".join(pieces)

    def close(self) -> None:
        """Say that we send no more."""
        if not self.established or self._failed:
            return
        try:
            self._connection.shutdown()
        except SSL.Error:
            self._failed = True

    def facts(self) -> TlsFacts:
        """Return what is known of an established session."""
        return facts.facts_of(self._connection, self.verification, server=self._server, peer=self._peer())

    def export(self, kind: str) -> bytes:
        """Return channel binding data: "tls-exporter", "tls-server-end-point"; b"" if there is none."""
        if not self.established:
            return b""
        if kind == facts.EXPORTER:
            return facts.exported(self._connection)
        if kind == facts.END_POINT:
            connection = self._connection
            found = connection.get_certificate() if self._server else connection.get_peer_certificate()
            return b"" if found is None else facts.end_point(_der(found))
        return b""

    def _shake(self) -> bool:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise self._broken(error) from None
        except TlsError:  # a callback's
            self._failed = True
            raise
        self.established = True
        return True

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        recv = self._connection.recv
        try:
            while True:
                pieces.append(recv(_RECORD))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            raise self._broken(error) from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _limit(self) -> None:
        if self._silent > _SILENT_LIMIT:
            self._failed = True
            raise TlsError(f"more than {_SILENT_LIMIT} bytes without any plain text")

    def _broken(self, error: SSL.Error) -> TlsError:
        self._failed = True
        return TlsError(reason_of(error))

    def _peer(self) -> PeerCertificate | None:
        found = self._connection.get_peer_certificate()
        if found is None:
            return None
        der = _der(found)
        trusted = self.verification.trusted(der, resumed=openssl.resumed(self._connection))
        return facts.peer_of(der, trusted=trusted, digest=self.verification.digest)


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
