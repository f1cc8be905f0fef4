"""Certificates, and a server that follows a script and speaks TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postroad.base.clock import SystemClock

NOW = dt.datetime.fromtimestamp(int(SystemClock().now()), dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass
class Pair:
    """A certificate with its key; ``chain`` are those above it that the server sends."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_der(self) -> bytes:
        """The public key (SubjectPublicKeyInfo)."""
        return self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def all(self) -> bytes:
        """Key, certificate and chain, as smtp_tls_chain_files wants them."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return key + self.pem + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)

    @property
    def sent(self) -> list[bytes]:
        """What a server sends, as DER."""
        return [c.public_bytes(serialization.Encoding.DER) for c in (self.certificate, *self.chain)]


def make(
    name: str = "",
    *names: str,
    by: Pair | None = None,
    authority: bool = False,
    begins: dt.timedelta = -DAY,
    ends: dt.timedelta = 30 * DAY,
    usage: x509.ObjectIdentifier | None = None,
    san: bool = True,
    send_issuer: bool = False,
    depth: int | None = None,
) -> Pair:
    """Make a certificate for ``name`` and ``names``, signed ``by`` an authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    issuer = by.certificate.subject if by is not None else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=depth), critical=True)
    )
    if san and not authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(n) for n in (name, *names) if n]), critical=False
        )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    signed = builder.sign(by.key if by is not None else key, hashes.SHA256())
    chain = (by.certificate, *by.chain) if by is not None and send_issuer else ()
    return Pair(signed, key, chain)


def _general(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


CLIENT_ONLY = ExtendedKeyUsageOID.CLIENT_AUTH


async def _content(reader: asyncio.StreamReader) -> bytes:
    lines = [await reader.readline()]
    while lines[-1] not in (b".\r\n", b""):
        lines.append(await reader.readline())
    return b"".join(lines)


def server_context(pair: Pair, **options: object) -> ssl.SSLContext:
    """Return a context that shows the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pair.all)
        context.load_cert_chain(file.name)
    for name, value in options.items():
        setattr(context, name, value)
    return context


class TlsServer:
    """Answers each command from ``answers``; STARTTLS that is answered 220 begins TLS.

    ``answers`` are for plain text, ``secure`` replaces single ones behind TLS.  ``said`` has what the
    client said, with ``*`` before it when it was encrypted.  ``wrapper``: TLS from the first byte.
    ``broken`` is sent instead of a ServerHello, ``hang`` sends nothing there.
    """

    def __init__(self, context: ssl.SSLContext | None, *, wrapper: bool = False, broken: bytes = b"", hang: bool = False) -> None:  # fmt: skip
        self.context = context
        self.wrapper = wrapper
        self.broken = broken
        self.hang = hang
        self.answers: dict[str, str | None] = {
            "": "220 there.example ESMTP",
            "EHLO": "250-there.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME",
            "LHLO": "250-there.example\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME",
            "HELO": "250 there.example",
            "STARTTLS": "220 2.0.0 Ready to start TLS",
            "MAIL": "250 2.1.0 Ok",
            "RCPT": "250 2.1.5 Ok",
            "DATA": "354 go",
            ".": "250 2.0.0 Ok: queued as 12345",
            "RSET": "250 2.0.0 Ok",
            "QUIT": "221 2.0.0 Bye",
        }
        self.secure: dict[str, str | None] = {
            "EHLO": "250-there.example\r\n250-PIPELINING\r\n250 8BITMIME",
            "LHLO": "250-there.example\r\n250-PIPELINING\r\n250 8BITMIME",
        }
        self.said: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self.resumed: list[bool] = []
        self.names: list[str | None] = []
        self.certificates: list[bytes | None] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        if context is not None:
            context.sni_callback = lambda _, name, __: self.names.append(name)

    async def start(self, host: str = "127.0.0.1", path: str = "") -> TlsServer:
        context = self.context if self.wrapper else None
        if path:
            self._server = await asyncio.start_unix_server(self._serve, path, ssl=context)
            return self
        self._server = await asyncio.start_server(self._serve, host, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def verbs(self) -> list[str]:
        return [line.partition(" ")[0] for line in self.said]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secure = self.wrapper
        if secure:
            self._note(writer)
        if not await self._answer(writer, "", secure=secure):
            return
        while line := (await reader.readline()).decode("utf-8", "surrogateescape"):
            line = line.removesuffix("\r\n")
            self.said.append("*" * secure + line)
            verb = line.partition(" ")[0]
            if line.startswith("AUTH "):
                verb = line
            reply = await self._answer(writer, verb, secure=secure)
            if not reply:
                return
            if verb == "STARTTLS" and reply.startswith("220"):
                if self.broken or self.hang:
                    await reader.read(1)
                    writer.write(self.broken)
                    if self.hang:
                        await asyncio.sleep(3600)
                    await writer.drain()
                    return
                await writer.start_tls(self.context)
                secure = True
                self._note(writer)
            if verb == "DATA" and reply.startswith("354"):
                self.messages.append(await _content(reader))
                if not await self._answer(writer, ".", secure=secure):
                    return
            if verb == "QUIT":
                return

    def _note(self, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object")
        self.resumed.append(tls.session_reused)
        self.certificates.append(tls.getpeercert(binary_form=True))

    async def _answer(self, writer: asyncio.StreamWriter, verb: str, *, secure: bool) -> str:
        answer = self.answers.get(verb, self.answers.get(verb.partition(" ")[0], "500 5.5.2 what?"))
        if secure:
            answer = self.secure.get(verb, answer)
        if answer is None:
            return ""
        writer.write(f"{answer}\r\n".encode())
        await writer.drain()
        return answer
