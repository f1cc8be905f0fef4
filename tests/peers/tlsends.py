"""Two ends of TLS in memory, and a server of ours that openssl s_client can speak to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from OpenSSL import SSL

from peers.certificates import Pair
from postroad.base.params import Settings, settings_of
from postroad.model.params import params as model
from postroad.net.tls.context import Verification, new_context, verify_without_failing
from postroad.net.tls.errors import TlsError
from postroad.net.tls.params import params
from postroad.net.tls.pipe import TlsPipe
from postroad.net.tls.server import ServerTls
from postroad.net.tls.transport import TlsTransport


def settings(**texts: str) -> Settings:
    """Return settings of TLS; the digest is sha256, as with a compatibility_level of today."""
    return settings_of([model, params], **({"smtpd_tls_fingerprint_digest": "sha256"} | texts))


def pem(*pairs: Pair) -> bytes:
    """Return the text of a file for smtpd_tls_chain_files."""
    return b"".join(pair.key_pem + pair.certificate_pem for pair in pairs)


def server_of(*pairs: Pair, sni: dict[str, bytes] | None = None, mandatory: bool = False, files: dict[str, bytes] | None = None, **texts: str) -> ServerTls:  # fmt: skip
    """Return a server with these certificates."""
    files = {"/chain.pem": pem(*pairs)} | (files or {})
    return ServerTls(
        settings(smtpd_tls_chain_files="/chain.pem", **texts), files, sni or {}, mandatory=mandatory
    )


def client_context(own: Pair | None = None) -> SSL.Context:
    """Return a client's context that notes what is wrong with servers; ``own`` is the client's certificate."""
    context = new_context()
    verify_without_failing(context, 9)
    if own is not None:
        context.use_certificate(own.certificate)
        context.use_privatekey(own.key)
    return context


def client_of(
    context: SSL.Context | None = None,
    *,
    name: str = "",
    session: SSL.Session | None = None,
    old: bool = False,
) -> TlsPipe:
    """Return a client's end, begun; ``old``: TLS 1.2."""
    connection = SSL.Connection(context or client_context(), None)
    if old:
        connection.set_options(SSL.OP_NO_TLSv1_3)
    if name:
        connection.set_tlsext_host_name(name.encode())
    if session is not None:
        connection.set_session(session)
    pipe = TlsPipe(connection, server=False, verification=Verification())
    pipe.start()
    return pipe


def options_of(context: SSL.Context) -> int:
    """Return the bits of a context's options, which pyOpenSSL does not tell."""
    return int(SSL._lib.SSL_CTX_get_options(context._context))  # type: ignore[attr-defined]


def pump(one: TlsPipe, other: TlsPipe) -> tuple[bytes, bytes]:
    """Carry bytes to and fro until there are none; returns what each end was told."""
    told_one = told_other = b""
    while True:
        forth, back = one.take(), other.take()
        if not forth and not back:
            return told_one, told_other
        if forth:
            told_other += other.receive(forth)
        if back:
            told_one += one.receive(back)


def meet(server: ServerTls, context: SSL.Context | None = None, **options: object) -> tuple[TlsPipe, TlsPipe]:
    """Return a client's end and the server's, hands shaken."""
    client, accepted = client_of(context, **options), server.accept()  # type: ignore[arg-type]
    pump(client, accepted)
    return client, accepted


class Echo(asyncio.Protocol):
    """Says what it hears, under TLS from the first byte."""

    def __init__(self, server: ServerTls) -> None:
        self._server = server
        self.errors: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.tls = TlsTransport(transport, self._server.accept())  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        try:
            self.tls.write(self.tls.receive(data))
        except TlsError as error:
            self.errors.append(str(error))
            self.tls.close()
            return
        if self.tls.pipe.closed:
            self.tls.close()


@contextlib.asynccontextmanager
async def echoing(server: ServerTls) -> AsyncIterator[tuple[int, list[Echo]]]:
    """Run an echo on a port of 127.0.0.1."""
    sessions: list[Echo] = []

    def made() -> Echo:
        sessions.append(Echo(server))
        return sessions[-1]

    listener = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1], sessions
    finally:
        listener.close()
        for session in sessions:
            session.tls.abort()
        await listener.wait_closed()


async def s_client(port: int, *options: str, said: bytes = b"hello\n") -> str:
    """Run openssl s_client, say something, return all that it prints."""
    process = await asyncio.create_subprocess_exec(
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{port}",
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    out = b""
    with contextlib.suppress(ConnectionError):
        process.stdin.write(said)
        await process.stdin.drain()
    while chunk := await process.stdout.read(65536):
        out += chunk
        if said.strip() in out.rpartition(b"---")[2]:
            process.stdin.close()
    await process.wait()
    return out.decode(errors="replace")
