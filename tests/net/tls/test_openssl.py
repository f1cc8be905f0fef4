from OpenSSL import SSL

from peers.certificates import self_signed
from peers.tlsends import client_context, client_of, meet, pump, server_of
from postroad.net.tls import openssl
from postroad.net.tls.context import new_context

KEY = self_signed("mx.test")


def test_numbers_of_errors():
    assert openssl.error_code("SSL routines", "wrong version number") == 0x0A00010B
    assert openssl.error_code("SSL routines", "internal error") == 0x0A0C0103
    assert openssl.error_code("PEM routines", "no start line") == 0x0480006C
    assert openssl.error_code("SSL routines", "no such reason") == 0
    assert openssl.error_code("no such library", "wrong version number") == 0


def test_facts_that_pyopenssl_keeps_back():
    for old in (False, True):
        client, accepted = meet(server_of(KEY), old=old)
        assert openssl.cipher_bits(accepted.connection) == (256, 256)
        assert openssl.extended_master_secret(client.connection)
        assert not openssl.resumed(client.connection)


def test_a_failed_choice_of_groups_leaves_no_error_behind():
    context = new_context()
    assert not openssl.set_groups(context, "X25519:no-such")
    assert openssl.set_groups(context, "X25519:prime256v1")
    client, accepted = client_of(), server_of(KEY).accept()
    pump(client, accepted)
    assert accepted.established


def test_signatures_are_noted_by_those_who_want_to_know():
    client, accepted = meet(server_of(KEY), client_context(KEY))
    assert (client.verification.sent, client.verification.received) == (0, 0x0403)
    assert (accepted.verification.sent, accepted.verification.received) == (0x0403, 0)
    client, accepted = meet(server_of(KEY, smtpd_tls_ask_ccert="yes"), client_context(KEY))
    assert (accepted.verification.sent, accepted.verification.received) == (0x0403, 0x0403)
    connection = SSL.Connection(new_context(), None)  # nobody listens: no harm
    connection.set_connect_state()
    assert connection.get_app_data() is None
