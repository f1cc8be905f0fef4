import base64
import ssl

import pytest

from peers.certificates import Authority
from postroad.admin.dialogue import DialogueLost, connect_local
from postroad.admin.secure import NotSecure, Security, trusting_context, verifying_context
from postroad.admin.submit import Envelope, Refused, submit
from postroad.proto.sasl.client import Credentials

PLAIN = base64.b64encode(b"\0ann\0secret").decode()
OFFER = b"250-there.example\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n"
WITHOUT = b"250 there.example\r\n"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(scripted, authority, tmp_path):
    chain, key = authority.issue("there.example").write(tmp_path, "there")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    scripted.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    scripted.context.load_cert_chain(chain, key)
    scripted.answers |= {
        "EHLO": OFFER,
        "STARTTLS": b"220 2.0.0 Ready\r\n",
        f"AUTH PLAIN {PLAIN}": b"235 2.7.0 Yes\r\n",
        "AUTH": b"535 5.7.8 No\r\n",
    }
    return scripted


def send(server, security):
    with connect_local(server.path, timeout=5) as dialogue:
        security.begin(dialogue)
        envelope = Envelope("ann@a.example", ["bob@b.example"])
        submit(dialogue, "me", envelope, 4, [b"x\r\n"], security.go_on)


def test_a_message_is_handed_in_encrypted_by_a_known_user(server, tmp_path):
    context = verifying_context(str(tmp_path / "ca.pem"))
    send(server, Security("there.example", context, credentials=Credentials("ann", "secret")))
    auth = f"AUTH PLAIN {PLAIN}".encode()
    assert server.said[:5] == [b"EHLO me", b"STARTTLS", b"EHLO me", auth, b"MAIL FROM:<ann@a.example>"]


def test_tls_may_come_first(server, tmp_path):
    server.at_once = True
    send(server, Security("there.example", verifying_context(str(tmp_path / "ca.pem")), at_once=True))
    assert server.said[:2] == [b"EHLO me", b"MAIL FROM:<ann@a.example>"]


@pytest.mark.parametrize("host", ["other.example", "there.example"])
def test_nothing_is_said_to_a_server_that_is_another(server, host):
    context = verifying_context()  # does not know the authority; nor would the name fit in one case
    with pytest.raises(DialogueLost, match="TLS with"):
        send(server, Security(host, context, credentials=Credentials("ann", "secret")))
    assert server.said == [b"EHLO me", b"STARTTLS"]


def test_any_certificate_will_do_where_that_is_wanted(server):
    send(server, Security("other.example", trusting_context()))
    assert b"DATA" in server.said


def test_no_tls_no_message(server):
    server.answers["EHLO"] = WITHOUT
    with pytest.raises(NotSecure, match="does not offer STARTTLS"):
        send(server, Security("there.example", trusting_context()))
    assert server.said == [b"EHLO me"]


def test_a_refused_starttls_is_the_end(server):
    server.answers["STARTTLS"] = b"454 4.7.0 Not now\r\n"
    with pytest.raises(Refused, match="STARTTLS"):
        send(server, Security("there.example", trusting_context()))
    assert server.said == [b"EHLO me", b"STARTTLS"]


def test_what_was_said_before_tls_is_not_believed(server):
    server.answers["STARTTLS"] = b"220 2.0.0 Ready\r\n250 injected\r\n"
    with pytest.raises(DialogueLost, match="out of turn"):
        send(server, Security("there.example", trusting_context()))


def test_a_wrong_password_is_refused(server):
    with pytest.raises(Refused, match="AUTH: 535"):
        send(server, Security("x", trusting_context(), credentials=Credentials("ann", "wrong")))
    assert b"MAIL" not in b"".join(server.said)


def test_a_password_does_not_travel_in_clear(server):
    with pytest.raises(NotSecure, match="without TLS"):
        send(server, Security("x", credentials=Credentials("ann", "secret")))
    assert server.said == [b"EHLO me"]
    send(server, Security("x", credentials=Credentials("ann", "secret"), in_clear=True))
    assert f"AUTH PLAIN {PLAIN}".encode() in server.said


def test_the_mechanism_may_be_chosen(server):
    server.answers |= {
        "AUTH LOGIN": b"334 VXNlcm5hbWU6\r\n",
        "AUTH LOGIN YW5u": b"334 UGFzc3dvcmQ6\r\n",
        "YW5u": b"334 UGFzc3dvcmQ6\r\n",
        "c2VjcmV0": b"235 2.7.0 Yes\r\n",
    }
    send(
        server, Security("x", trusting_context(), credentials=Credentials("ann", "secret"), mechanism="login")
    )
    assert b"c2VjcmV0" in server.said


def test_a_server_without_auth_knows_nobody(server):
    server.answers["EHLO"] = WITHOUT
    with pytest.raises(NotSecure, match="does not offer AUTH"):
        send(server, Security("x", credentials=Credentials("ann", "secret"), in_clear=True))


def test_a_challenge_that_is_no_base64_ends_it(server):
    server.answers["AUTH"] = b"334 ***\r\n"
    with pytest.raises(DialogueLost, match="AUTH"):
        send(server, Security("x", trusting_context(), credentials=Credentials("ann", "wrong")))


def test_a_file_without_certificates_is_an_error(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(OSError):
        verifying_context(str(tmp_path / "ca.pem"))
