"""The contexts of a service: what is demanded of a session before anybody is known."""

import subprocess

import pytest
from OpenSSL import SSL

from peers.certificates import Authority
from peers.tlsends import (
    client_context,
    client_of,
    echoing,
    meet,
    options_of,
    pump,
    s_client,
    server_of,
    settings,
)
from postroad.net.tls import ciphers
from postroad.net.tls.errors import TlsError
from postroad.net.tls.server_context import ServerContexts

CA = Authority()
EC = CA.issue("ec.test")
RSA = CA.issue("rsa.test", kind="rsa")


def test_every_context_is_made_anew_and_alike():
    contexts = ServerContexts(settings(tls_preempt_cipherlist="yes"), mandatory=False)
    one, two = contexts.make({}), contexts.make({})
    assert one is not two
    assert options_of(one) == options_of(two)
    assert options_of(one) & SSL.OP_CIPHER_SERVER_PREFERENCE


def test_what_is_mandatory_counts_where_tls_is_demanded_only():
    texts = {
        "smtpd_tls_mandatory_protocols": ">=TLSv1.3",
        "smtpd_tls_mandatory_ciphers": "high",
        "smtpd_tls_mandatory_exclude_ciphers": "aNULL",
    }
    client, _ = meet(server_of(EC, **texts), old=True)
    assert client.established
    client, accepted = client_of(old=True), server_of(EC, mandatory=True, **texts).accept()
    with pytest.raises(TlsError, match="unsupported protocol"):
        pump(client, accepted)
    with pytest.raises(TlsError, match='invalid TLS cipher grade: "best"'):
        server_of(EC, mandatory=True, smtpd_tls_mandatory_ciphers="best")
    server_of(EC, smtpd_tls_mandatory_ciphers="best")


def test_exclusions_of_both_kinds_count_where_tls_is_demanded():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
    texts = {
        "smtpd_tls_exclude_ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384",
        "smtpd_tls_mandatory_exclude_ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256",
    }
    _, accepted = meet(server_of(EC, **texts), context, old=True)
    assert accepted.facts().cipher == "ECDHE-ECDSA-AES128-GCM-SHA256"
    client, accepted = client_of(context, old=True), server_of(EC, mandatory=True, **texts).accept()
    with pytest.raises(TlsError, match="no shared cipher"):
        pump(client, accepted)


def test_whose_order_of_ciphers_counts():
    def cipher(**texts):
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
        return meet(server_of(EC, **texts), context, old=True)[1].facts().cipher

    assert cipher() == "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert cipher(tls_preempt_cipherlist="yes") == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(
    ("texts", "group"),
    [
        ({}, "X25519"),
        ({"tls_eecdh_auto_curves": "secp521r1"}, "ECDHE (secp521r1)"),
        ({"tls_eecdh_auto_curves": "no-such"}, "DHE (2048 bits)"),
        ({"smtpd_tls_eecdh_grade": "strong"}, "ECDHE (prime256v1)"),
        ({"smtpd_tls_eecdh_grade": "ultra"}, "ECDHE (secp384r1)"),
    ],
)
def test_the_groups_of_the_grade(texts, group):
    context = client_context()
    ciphers.set_groups(context, ["X25519", "secp521r1", "secp384r1", "prime256v1", "ffdhe2048"])
    assert meet(server_of(EC, **texts), context)[1].facts().key_exchange == group


def test_no_elliptic_curves_for_old_protocols():
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384")
    assert meet(server_of(RSA), context, old=True)[1].facts().cipher == "ECDHE-RSA-AES256-GCM-SHA384"
    _, accepted = meet(server_of(RSA, smtpd_tls_eecdh_grade="none"), context, old=True)
    assert accepted.facts().cipher == "DHE-RSA-AES256-GCM-SHA384"
    with pytest.raises(TlsError, match='unknown grade "best"'):
        server_of(EC, smtpd_tls_eecdh_grade="best")


async def test_parameters_for_dhe_may_be_ones_own():
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072"]
    own = {"/dh.pem": subprocess.run(command, capture_output=True, check=True).stdout}
    for server, bits in (
        (server_of(RSA, files=own, smtpd_tls_dh1024_param_file="/dh.pem"), 3072),
        (server_of(RSA, smtpd_tls_dh1024_param_file="auto"), 2048),
    ):
        async with echoing(server) as (port, _):
            said = await s_client(port, "-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384")
        assert f"Server Temp Key: DH, {bits} bits" in said
    with pytest.raises(TlsError, match=r"^/dh.pem: "):
        server_of(RSA, files={"/dh.pem": b"none"}, smtpd_tls_dh1024_param_file="/dh.pem")


@pytest.mark.parametrize(
    "texts",
    [
        {"smtpd_tls_protocols": "TLSv9"},
        {"smtpd_tls_ciphers": "best"},
        {"smtpd_tls_exclude_ciphers": "!x"},
        {"tls_ssl_options": "NO_SUCH"},
        {"tls_disable_workarounds": "NO_SUCH"},
        {"tls_eecdh_auto_curves": "no-such", "tls_ffdhe_auto_groups": ""},
        {"smtpd_tls_fingerprint_digest": "sha0"},
        {"smtpd_tls_fingerprint_digest": "shake_128"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(texts):
    with pytest.raises(TlsError):
        server_of(EC, **texts)


def test_a_client_that_wants_another_protocol_is_not_served():
    def offering(*names):
        context = client_context()
        context.set_alpn_protos(list(names))
        return client_of(context)

    server = server_of(EC)
    client, accepted = offering(b"h2", b"smtp"), server.accept()
    pump(client, accepted)
    assert client.connection.get_alpn_proto_negotiated() == b"smtp"
    client, accepted = offering(b"h2", b"http/1.1"), server.accept()
    with pytest.raises(TlsError, match="none of smtp, esmtp"):
        pump(client, accepted)
    with pytest.raises(TlsError, match="alert no application protocol"):
        client.receive(accepted.take())
    assert meet(server)[1].established
