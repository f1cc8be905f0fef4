"""A server that follows a script, for dialogues."""

import contextlib
import socket
import ssl
import threading

import pytest

EHLO = b"250-there.example\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
ANSWERS = {
    "": b"220 there.example ESMTP\r\n",
    "EHLO": EHLO,
    "LHLO": EHLO,
    "HELO": b"250 there.example\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go ahead\r\n",
    ".": b"250 2.0.0 Ok: queued as 1983CB520EF3100\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


class ScriptedServer:
    """Serves one session at a time on a UNIX socket; ``said`` is every line it heard.

    A test changes ``answers``; the answer b"" ends the session.  With a ``context`` TLS begins behind a
    220 to STARTTLS, or ``at_once``.
    """

    context: ssl.SSLContext | None = None
    at_once = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.answers = dict(ANSWERS)
        self.said: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):  # the client may leave
                if self.at_once:
                    peer = self.context.wrap_socket(peer, server_side=True)
                with peer:
                    peer.sendall(self.answers[""])
                    if self._session(peer):
                        peer = self.context.wrap_socket(peer, server_side=True)
                        self._session(peer)
                    peer.close()

    def _session(self, peer) -> bool:
        """Talk until the end, or until TLS begins (True)."""
        with peer.makefile("rb", buffering=0) as lines:
            return self._talk(peer, lines)

    def _talk(self, peer, lines) -> bool:
        content = False
        for line in lines:
            text = line.rstrip(b"\r\n")
            self.said.append(text)
            if content and text != b".":
                continue
            verb = "." if content else text.split(b" ")[0].decode("ascii", "replace").upper()
            answer = self.answers.get(
                text.decode("utf-8", "replace"), self.answers.get(verb, b"500 What?\r\n")
            )
            content = answer.startswith(b"354")
            if not answer:
                return False
            peer.sendall(answer)
            if verb == "STARTTLS" and answer.startswith(b"220") and self.context is not None:
                return True
            if verb == "QUIT":
                return False
        return False


@pytest.fixture
def scripted(tmp_path):
    server = ScriptedServer(str(tmp_path / "socket"))
    yield server
    server.close()
