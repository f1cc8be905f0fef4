"""What is seen of another server's TLS, and what each level makes of it."""

from __future__ import annotations

import hashlib
import socket

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from app.texts import config_of
from peers.harness import free_port
from peers.starttls import starttls_server
from postroad.admin.dialogue import DialogueLost, NoServer
from postroad.admin.tls_finger import finger
from postroad.admin.tls_keys import first_certificate, new_key, read_key, self_signed
from postroad.base.clock import SystemClock
from postroad.net.dane import Dane, DaneState, Tlsa
from postroad.net.mailhosts import Host
from postroad.net.tls.verify import fingerprints
from postroad.net.tls.verify_chain import Authorities

NAME = "mx.example.test"


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture(scope="module")
def certificate(key):
    return self_signed(read_key(key), [NAME], 10, SystemClock().now())


@pytest.fixture
def look(tmp_path, key, certificate):
    def look(*, dane=None, trusted=False, nexthop="example.test", **server):
        der = first_certificate(certificate).public_bytes(Encoding.DER)
        authorities = Authorities([der] if trusted else [])
        with starttls_server(tmp_path, key, certificate, **server) as port:
            return finger(
                Host(NAME, "127.0.0.1", port),
                nexthop,
                dane,
                config_of().settings,
                authorities,
                name="us.example.test",
                wrapper=server.get("wrapper", False),
                timeout=10,
            )

    return look


@pytest.mark.parametrize("wrapper", [False, True])
def test_protocol_and_certificates_are_seen(look, certificate, wrapper):
    seen = look(wrapper=wrapper)
    assert seen.facts.protocol == "TLSv1.3"
    (shown,) = seen.certificates
    assert (shown.subject, shown.issuer, shown.names) == (f"CN={NAME}", f"CN={NAME}", (NAME,))
    der = first_certificate(certificate).public_bytes(Encoding.DER)
    assert shown.fingerprint == hashlib.sha256(der).hexdigest()
    assert shown.key_fingerprint == fingerprints(der, "sha256")[1]
    assert shown.begins < shown.ends


def test_levels_depend_on_trust_and_names(look):
    levels = look().levels
    assert levels["may"].matched
    assert levels["may"].trust == "Untrusted"
    assert not levels["verify"].matched
    assert "dane" not in levels
    levels = look(trusted=True).levels
    assert levels["may"].trust == "Trusted"
    assert levels["verify"].matched
    assert levels["secure"].matched  # .example.test
    assert not look(trusted=True, nexthop="other.test").levels["secure"].matched


@pytest.mark.parametrize("good", [True, False])
def test_dane_goes_by_the_records_alone(look, certificate, good):
    der = first_certificate(certificate).public_bytes(Encoding.DER)
    data = bytes.fromhex(fingerprints(der, "sha256")[1]) if good else b"x" * 32
    dane = Dane(DaneState.USABLE, (Tlsa(3, 1, 1, data),), NAME, authenticated=True)
    seen = look(dane=dane)
    assert seen.matching == (good,)
    assert seen.levels["dane"].matched is good
    assert not seen.levels["verify"].matched


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"ehlo": b"250 mx.example.test\r\n"}, "does not offer STARTTLS"),
        ({"answer": b"454 4.7.0 Not now\r\n"}, "454 4.7.0 Not now to STARTTLS"),
        ({"answer": b"220 Go\r\n250 injected\r\n"}, "out of turn"),
        ({"ehlo": b"421 4.3.2 Busy\r\n"}, "the server says 421 4.3.2 Busy"),
    ],
)
def test_a_server_without_tls_is_told_apart(look, server, words):
    with pytest.raises(DialogueLost, match=words):
        look(**server)


def test_nobody_there_and_no_tls_behind_the_port(tmp_path):
    settings = config_of().settings
    with pytest.raises(NoServer, match="Connection refused"):
        finger(Host(NAME, "127.0.0.1", free_port()), NAME, None, settings, Authorities(), name="x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Host(NAME, "127.0.0.1", listener.getsockname()[1])
        with pytest.raises(DialogueLost):
            finger(host, NAME, None, settings, Authorities(), name="x", wrapper=True, timeout=0.2)
