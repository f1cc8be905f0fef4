"""A server that speaks as much SMTP as it takes to shake hands."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

_EHLO = b"250-mx.example.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


@contextlib.contextmanager
def starttls_server(place: Path, key: bytes, certificate: bytes, *, wrapper: bool = False, ehlo: bytes = _EHLO, answer: bytes = b"220 Go\r\n") -> Iterator[int]:  # fmt: skip
    """Serve one client after the other on loopback with these PEM texts; yields the port."""
    file = place / "server.pem"
    file.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.settimeout(30)
            with contextlib.suppress(OSError, ValueError):  # it hung up
                _talk(client, context, wrapper=wrapper, ehlo=ehlo, answer=answer)
            client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _talk(client: socket.socket, context: ssl.SSLContext, *, wrapper: bool, ehlo: bytes, answer: bytes) -> None:  # fmt: skip
    if wrapper:
        client = context.wrap_socket(client, server_side=True)
    with client:
        client.sendall(b"220 mx.example.test ESMTP\r\n")
        while line := client.recv(1000):
            verb = line.split()[0].upper()
            if verb == b"EHLO":
                client.sendall(ehlo)
            elif verb == b"STARTTLS":
                client.sendall(answer)
                if answer.startswith(b"220"):
                    client = context.wrap_socket(client, server_side=True)
            else:
                client.sendall(b"221 Bye\r\n")
                return
