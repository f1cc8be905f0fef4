"""The client's contexts and sessions, against OpenSSL's server in memory."""

import contextlib
import ssl

import pytest

from delivery.smtp.tlsserver import make, server_context
from postroad.base.clock import TestClock
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.tls.chains import read_chains
from postroad.net.tls.client import ClientTls, Offer
from postroad.net.tls.errors import TlsError
from postroad.net.tls.params import params

CA = make("CA", authority=True)
GOOD = make("there.example", by=CA, send_issuer=True)
OFFER = Offer(">=TLSv1", "medium")


def client(*, lifetime=3600, chains=(), clock=None):
    settings = settings_of([model_params, params], myhostname="mx.example.test", compatibility_level="3.6")
    clock = clock or TestClock()
    return ClientTls(settings, chains, lifetime=lifetime, digest="sha256", now=clock.steady)


def shake(pipe, context):
    """Bring a pipe and a server together; returns the server's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    pipe.start()
    for _ in range(5):
        to_server.write(pipe.take())
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
        if data := to_client.read():
            pipe.receive(data)
    server.write(b"220 hello\r\n")
    assert pipe.receive(to_client.read()) == b"220 hello\r\n"
    return server


def visit(tls, context, key="k", offer=OFFER):
    pipe = tls.connect(offer, key)
    server = shake(pipe, context)
    sent = tls.sent(pipe, key)
    tls.remember(pipe, key)
    pipe.close()
    return server.session_reused, sent, server


@pytest.mark.parametrize("protocols", [">=TLSv1.3", "<=TLSv1.2"])
def test_a_session_goes_on_and_shows_the_certificates_that_it_began_with(protocols):
    tls, context, offer = client(), server_context(GOOD), Offer(protocols, "medium")
    visits = [visit(tls, context, offer=offer)[:2] for _ in range(3)]
    assert visits == [(resumed, tuple(GOOD.sent)) for resumed in (False, True, True)]


def test_another_key_is_another_session():
    tls, context = client(), server_context(GOOD)
    assert [visit(tls, context, key)[0] for key in ("a", "b", "a", "b")] == [False, False, True, True]


def test_another_offer_does_not_go_on():
    tls, context = client(), server_context(GOOD)
    assert not visit(tls, context)[0]
    assert not visit(tls, context, offer=Offer(">=TLSv1.2", "high"))[0]


def test_sessions_end_however_often_they_go_on():
    clock = TestClock()
    tls, context = client(lifetime=100, clock=clock), server_context(GOOD)
    found = []
    for _ in range(4):
        found.append(visit(tls, context)[0])
        clock.advance(40)
    assert found == [False, True, True, False]


def test_sessions_may_be_forgotten_or_not_be_kept():
    tls, context = client(), server_context(GOOD)
    visit(tls, context)
    tls.forget("k")
    assert not visit(tls, context)[0]
    tls = client(lifetime=0)
    assert [visit(tls, context)[0] for _ in range(2)] == [False, False]


def test_memory_for_sessions_is_bounded(monkeypatch):
    monkeypatch.setattr("postroad.net.tls.client._SESSIONS", 2)
    tls, context = client(), server_context(GOOD)
    for key in "abc":
        visit(tls, context, key)
    assert [visit(tls, context, key)[0] for key in "cba"] == [True, True, False]


def test_the_name_and_the_protocol_are_those_of_the_offer():
    names = []
    context = server_context(GOOD)
    context.sni_callback = lambda _, name, __: names.append(name)
    server = visit(client(), context, offer=Offer("TLSv1.2", "high", server_name="there.example"))[2]
    assert server.version() == "TLSv1.2"
    assert names == ["there.example"]


def test_excluded_ciphers_are_not_offered():
    offer = Offer("<=TLSv1.2", "high", ("AESGCM", "CHACHA20"))
    cipher = visit(client(), server_context(GOOD), offer=offer)[2].cipher()[0]
    assert "GCM" not in cipher


@pytest.mark.parametrize(("anonymous", "offered"), [(True, True), (False, False)])
def test_anonymous_ciphers_are_offered_where_nobody_asks_who_the_server_is(anonymous, offered):
    pipe = client().connect(Offer("<=TLSv1.2", "medium", anonymous=anonymous), "k")
    assert (
        any(name.startswith("A") and "DH-" in name for name in pipe.connection.get_cipher_list()) == offered
    )


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (Offer("TLSv9", "medium"), 'unknown TLS protocol "TLSv9"'),
        (Offer(">=TLSv1", "bogus"), 'invalid TLS cipher grade: "bogus"'),
        (Offer(">=TLSv1", "high", ("?",)), "exclusion"),
    ],
)
def test_settings_that_cannot_be_used_are_told(offer, words):
    with pytest.raises(TlsError, match=words):
        client().connect(offer, "k")


def test_the_client_shows_its_certificate_when_it_is_asked():
    own = make("client.example", by=CA)
    context = server_context(GOOD)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=CA.pem.decode())
    server = visit(client(chains=read_chains([("x", own.all)])), context)[2]
    assert server.getpeercert(binary_form=True) == own.der


def test_a_certificate_with_another_key_is_found_at_the_start():
    pem = make("one").all.partition(b"-----BEGIN CERTIFICATE")[0] + make("two").pem
    with pytest.raises(TlsError):
        client(chains=read_chains([("/x.pem", pem)]))
