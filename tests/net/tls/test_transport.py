"""What stands where asyncio's transport stood."""

import asyncio
import ssl

import pytest

from peers.certificates import self_signed
from peers.tlsends import client_of, echoing, s_client, server_of
from postroad.net.tls.errors import TlsError
from postroad.net.tls.transport import TlsTransport

KEY = self_signed("mx.test")


class Below(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.1", 25)})
        self.written = b""
        self.said = []

    def write(self, data):
        self.written += data

    def close(self):
        self.said.append("close")

    def abort(self):
        self.said.append("abort")

    def is_closing(self):
        return bool(self.said)

    def pause_reading(self):
        self.said.append("pause")

    def resume_reading(self):
        self.said.append("resume")

    def is_reading(self):
        return True

    def get_write_buffer_size(self):
        return len(self.written)

    def get_write_buffer_limits(self):
        return (1, 2)

    def set_write_buffer_limits(self, high=None, low=None):
        self.limits = high, low

    def set_protocol(self, protocol):
        self.protocol = protocol

    def get_protocol(self):
        return self.protocol


@pytest.fixture
def ends():
    """The server's transport, the transport below it, and the client's end."""
    below = Below()
    client = client_of()
    tls = TlsTransport(below, server_of(KEY).accept())
    while not (client.established and tls.pipe.established):
        assert tls.receive(client.take()) == b""
        written, below.written = below.written, b""
        client.receive(written)
    return tls, below, client


def test_what_is_written_is_encrypted(ends):
    tls, below, client = ends
    tls.write(b"220 mx.test ESMTP\r\n")
    assert b"220" not in below.written
    assert client.receive(below.written) == b"220 mx.test ESMTP\r\n"
    below.written = b""
    tls.writelines([b"250-a\r\n", b"250 b\r\n"])
    assert client.receive(below.written) == b"250-a\r\n250 b\r\n"
    below.written = b""
    tls.write(b"")
    assert below.written == b""


def test_a_close_says_so_first(ends):
    tls, below, client = ends
    tls.write(b"221 bye\r\n")
    tls.close()
    assert client.receive(below.written) == b"221 bye\r\n"
    assert client.closed
    assert below.said == ["close"]
    size = len(below.written)
    tls.write(b"more")
    tls.close()
    assert len(below.written) == size
    assert tls.is_closing()


def test_the_alert_is_on_its_way_before_the_error(ends):
    tls, below, client = ends
    with pytest.raises(TlsError):
        tls.receive(b"QUIT\r\n")
    with pytest.raises(TlsError, match="alert"):
        client.receive(below.written)


def test_the_rest_is_that_of_the_transport_below(ends):
    tls, below, _ = ends
    protocol = asyncio.Protocol()
    tls.set_protocol(protocol)
    assert tls.get_protocol() is protocol
    tls.set_write_buffer_limits(9, 3)
    assert below.limits == (9, 3)
    assert tls.get_write_buffer_limits() == (1, 2)
    assert tls.get_write_buffer_size() == len(below.written)
    assert tls.get_extra_info("peername") == ("192.0.2.1", 25)
    assert tls.get_extra_info("sockname", 1) == 1
    assert tls.is_reading()
    assert not tls.can_write_eof()
    tls.pause_reading()
    tls.resume_reading()
    tls.abort()
    assert below.said == ["pause", "resume", "abort"]


def test_a_client_begins():
    below = Below()
    client = client_of()
    client.take()
    from OpenSSL import SSL

    from peers.tlsends import client_context
    from postroad.net.tls.pipe import TlsPipe

    tls = TlsTransport(below, TlsPipe(SSL.Connection(client_context(), None), server=False))
    tls.start()
    assert below.written.startswith(b"\x16\x03\x01")


async def test_much_goes_to_and_fro_through_sockets():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    text = bytes(range(256)) * 12_000
    async with echoing(server_of(KEY)) as (port, sessions):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(text)
        assert await reader.readexactly(len(text)) == text
        writer.close()
        await writer.wait_closed()
        assert sessions[0].errors == []
    assert sessions[0].tls.pipe.closed


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_speaks_with_it(version):
    async with echoing(server_of(KEY)) as (port, sessions):
        said = await s_client(port, version, said=b"EHLO client.test\n")
    assert said.rstrip().endswith("EHLO client.test") or "EHLO client.test\n" in said
    assert sessions[0].errors == []


async def test_openssl_cannot_renegotiate():
    async with echoing(server_of(KEY)) as (port, sessions):
        said = await s_client(port, "-tls1_2", said=b"R\n")
    assert "no renegotiation" in said or "RENEGOTIATING" in said
    assert sessions[0].tls.pipe.connection.total_renegotiations() == 0
