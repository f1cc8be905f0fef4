"""A session in memory: cut anywhere, closed rightly and wrongly, and what a hostile peer may send."""

import gc
import weakref

import pytest
from OpenSSL import SSL

from peers.certificates import Authority, self_signed
from peers.tlsends import client_context, client_of, meet, pump, server_of
from postroad.net.tls.errors import TlsError
from postroad.net.tls.pipe import TlsPipe

KEY = self_signed("mx.test")


@pytest.fixture(scope="module")
def server():
    return server_of(KEY)


def record(pipe, text):
    pipe.send(text)
    return pipe.take()


@pytest.mark.parametrize("old", [False, True])
def test_hands_are_shaken_whatever_the_pieces(server, old):
    client, accepted = client_of(old=old), server.accept()
    while not (client.established and accepted.established):
        forth, back = client.take(), accepted.take()
        assert forth or back
        for at in range(len(forth)):
            assert accepted.receive(forth[at : at + 1]) == b""
        for at in range(len(back)):
            assert client.receive(back[at : at + 1]) == b""
    assert pump(client, accepted) == (b"", b"")
    wire = record(client, b"EHLO client.test\r\n")
    assert b"".join(accepted.receive(wire[at : at + 1]) for at in range(len(wire))) == b"EHLO client.test\r\n"


def test_many_records_come_out_in_one_piece(server):
    client, accepted = meet(server)
    wire = b"".join(record(client, b"%d\r\n" % number) for number in range(300))
    assert accepted.receive(wire) == b"".join(b"%d\r\n" % number for number in range(300))


def test_much_is_sent_at_once_and_nothing_is_nothing(server):
    client, accepted = meet(server)
    text = bytes(range(256)) * 20_000
    accepted.send(text)
    assert client.receive(accepted.take()) == text
    accepted.send(memoryview(b"")), accepted.send(bytearray(b"x"))
    assert client.receive(accepted.take()) == b"x"
    accepted.send(b"")
    assert accepted.take() == b""


def test_text_may_come_with_the_last_message_of_the_handshake(server):
    client, accepted = client_of(), server.accept()
    accepted.receive(client.take())
    client.receive(accepted.take())
    assert client.established
    client.send(b"EHLO x\r\n")
    assert accepted.receive(client.take()) == b"EHLO x\r\n"
    assert accepted.established


def test_close_notify_is_told_from_text_and_nothing_behind_it_is_read(server):
    client, accepted = meet(server)
    client.send(b"BDAT 100\r\nabc")
    client.close()
    wire = client.take()
    assert accepted.receive(wire + b"clear text\r\n") == b"BDAT 100\r\nabc"
    assert accepted.closed
    assert accepted.receive(b"RSET\r\nMAIL FROM:<>\r\n") == b""


def test_each_end_says_that_it_closes(server):
    client, accepted = meet(server)
    accepted.close()
    assert client.receive(accepted.take()) == b""
    assert client.closed
    assert not accepted.closed
    client.close()
    accepted.receive(client.take())
    assert accepted.closed


def test_a_session_that_is_not_encrypted_yet_is_closed_without_a_word(server):
    accepted = server.accept()
    accepted.close()
    assert accepted.take() == b""


def test_clear_text_in_the_middle_ends_the_session_for_good(server):
    client, accepted = meet(server)
    good = record(client, b"MAIL FROM:<>\r\n")
    with pytest.raises(TlsError, match=r"^error:0A0001BB:SSL routines::bad record type$"):
        accepted.receive(b"RCPT TO:<x@y.test>\r\n")
    assert accepted.take() != b""  # the alert
    assert accepted.receive(good) == b""
    accepted.send(b"more")
    assert accepted.take() == b""


def test_a_changed_record_ends_the_session(server):
    client, accepted = meet(server)
    wire = bytearray(record(client, b"MAIL FROM:<>\r\n"))
    wire[-1] ^= 1
    with pytest.raises(TlsError, match="decryption failed or bad record mac"):
        accepted.receive(bytes(wire))


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "error:0A00009C:SSL routines::http request"),
        (b"EHLO client.test\r\n", "error:0A00010B:SSL routines::wrong version number"),
    ],
)
def test_what_is_no_handshake_is_named_as_openssl_names_it(server, hello, reason):
    accepted = server.accept()
    with pytest.raises(TlsError) as caught:
        accepted.receive(hello)
    assert str(caught.value) == reason


def test_an_alert_of_the_peer_is_named(server):
    client, accepted = client_of(), server.accept()
    accepted.receive(client.take())
    accepted.take()
    with pytest.raises(TlsError, match=r"^error:0A000418:SSL routines::\w*1 alert unknown ca$"):
        accepted.receive(bytes.fromhex("15030300020230"))


def test_a_close_in_the_middle_of_the_handshake_is_an_error(server):
    client, accepted = client_of(), server.accept()
    accepted.receive(client.take())
    accepted.take()
    with pytest.raises(TlsError):
        accepted.receive(bytes.fromhex("15030300020100"))
    assert not accepted.established


def test_a_handshake_without_an_end_is_given_up(server):
    client, accepted = client_of(), server.accept()
    hello = client.take()
    accepted.receive(hello[:40])
    assert fails(accepted, b"\x16\x03\x03\x00\x01\x00", 1_000_000)
    assert not accepted.established


def test_a_record_of_which_nothing_comes_but_promises_has_an_end(server):
    accepted = server.accept()
    assert fails(accepted, b"\x16\x03\x03\x40\x00" + bytes([1, 0, 0xFF, 0xFF]) + bytes(16380), 100)


def test_key_updates_without_text_have_an_end(server):
    client, accepted = meet(server)
    accepted._silent = 256 * 1024 - 10  # as after a quarter of a megabyte of them
    assert accepted.receive(record(client, b"x")) == b"x"  # text makes up for it
    accepted._silent = 256 * 1024 - 10
    with pytest.raises(TlsError, match="without any plain text"):
        accepted.receive(record(client, b"x" * 100)[:50])


def test_the_peer_cannot_renegotiate(server):
    client, accepted = meet(server, SSL.Context(SSL.TLS_METHOD), old=True)
    client.connection.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.connection.do_handshake()
    with pytest.raises(TlsError, match="no renegotiation"):
        pump(client, accepted)
    assert accepted.connection.total_renegotiations() == 0


def fails(pipe, data, times):
    """Return whether the pipe gives up on what it hears so many times."""
    for _ in range(times):
        try:
            pipe.receive(data)
        except TlsError:
            return True
    return False


def test_channel_bindings_are_the_same_at_both_ends(server):
    for old in (False, True):
        client, accepted = meet(server, old=old)
        assert client.export("tls-exporter") == accepted.export("tls-exporter")
        assert len(client.export("tls-exporter")) == 32
        assert client.export("tls-server-end-point") == accepted.export("tls-server-end-point")
        assert client.export("tls-server-end-point") == KEY.certificate.fingerprint(
            KEY.certificate.signature_hash_algorithm
        )
    one, _ = meet(server)
    assert one.export("tls-exporter") != client.export("tls-exporter")
    assert one.export("tls-unique") == b""


def test_there_is_no_channel_binding_before_the_session(server):
    assert server.accept().export("tls-exporter") == b""


def test_a_client_hears_tickets_without_a_word(server):
    client, accepted = client_of(), server.accept()
    accepted.receive(client.take())
    client.receive(accepted.take())
    accepted.receive(client.take())
    tickets = accepted.take()
    assert tickets
    assert client.receive(tickets) == b""
    assert client.established


def test_facts_of_the_client_side(server):
    client, _ = meet(server, name="mx.test")
    facts = client.facts()
    assert facts.server_name == "mx.test"
    assert facts.peer.subject == "mx.test"
    assert facts.peer.der == KEY.der
    assert facts.trust == "Untrusted"
    assert client.verification.errors == [(0, 18)]  # OpenSSL: self-signed certificate
    assert facts.server_signature == "ECDSA (prime256v1)"


def test_an_authority_makes_a_server_trusted():
    authority = Authority()
    context = client_context()
    context.get_cert_store().add_cert(SSL.X509.from_cryptography(authority.certificate))
    client, _ = meet(server_of(authority.issue("mx.test")), context)
    assert client.facts().trust == "Trusted"
    assert client.verification.errors == []


def test_a_session_is_freed_without_the_collector(server):
    class Watched(TlsPipe):
        __slots__ = ("__weakref__",)

    gc.disable()
    try:
        pipe = Watched(server.accept().connection, server=True)
        pump(client_of(), pipe)
        gone = weakref.ref(pipe)
        del pipe
        assert gone() is None
    finally:
        gc.enable()
