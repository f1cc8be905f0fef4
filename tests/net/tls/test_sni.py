from peers.certificates import Authority, self_signed
from peers.tlsends import echoing, meet, pem, s_client, server_of
from postroad.net.tls.sni import ServerNames, context_of

CA = Authority()
DEFAULT, ONE, BELOW, RSA = (
    CA.issue("default.test"),
    CA.issue("one.test"),
    CA.issue("*.two.test"),
    CA.issue("rsa.test", kind="rsa"),
)


def served(server, name):
    client, accepted = meet(server, name=name)
    return client.facts().peer.subject, accepted.facts().server_name, accepted.verification.unmatched_name


def test_the_name_that_is_asked_for_is_served_then_the_domain_above_it():
    server = server_of(DEFAULT, sni={"One.test": pem(ONE), ".two.test": pem(BELOW)})
    assert served(server, "one.test") == ("one.test", "one.test", "")
    assert served(server, "ONE.Test") == ("one.test", "ONE.Test", "")
    assert served(server, "mx.two.test") == ("*.two.test", "mx.two.test", "")
    assert served(server, "a.mx.two.test") == ("*.two.test", "a.mx.two.test", "")
    assert served(server, "two.test") == ("default.test", "", "two.test")
    assert served(server, "mx.one.test") == ("default.test", "", "mx.one.test")
    assert served(server, "") == ("default.test", "", "")


def test_without_a_table_nobody_looks_at_the_name():
    assert served(server_of(DEFAULT), "one.test") == ("default.test", "", "")


def test_a_broken_chain_harms_no_other():
    server = server_of(
        DEFAULT, sni={"broken.test": ONE.key_pem + BELOW.certificate_pem, "one.test": pem(ONE)}
    )
    assert served(server, "broken.test") == ("default.test", "", "broken.test")
    assert served(server, "one.test")[0] == "one.test"


def test_a_name_may_have_certificates_of_two_sorts():
    server = server_of(DEFAULT, sni={"one.test": pem(RSA, ONE)})
    assert served(server, "one.test")[0] == "one.test"


def test_the_rest_is_that_of_the_service():
    stranger = self_signed("client.test")
    server = server_of(
        DEFAULT, sni={"one.test": pem(ONE)}, smtpd_tls_ask_ccert="yes", smtpd_tls_protocols="!TLSv1.3"
    )
    from peers.tlsends import client_context

    _, accepted = meet(server, client_context(stranger), name="one.test")
    assert accepted.facts().protocol == "TLSv1.2"
    assert accepted.facts().peer.subject == "client.test"


def test_the_binding_is_that_of_the_certificate_that_was_served():
    client, accepted = meet(server_of(DEFAULT, sni={"one.test": pem(ONE)}), name="one.test")
    assert accepted.export("tls-server-end-point") == client.export("tls-server-end-point")
    assert accepted.export("tls-server-end-point") == ONE.certificate.fingerprint(
        ONE.certificate.signature_hash_algorithm
    )


def test_a_session_is_gone_on_with_under_its_name():
    server = server_of(DEFAULT, sni={"one.test": pem(ONE)})
    from peers.tlsends import client_context

    context = client_context()
    client, _ = meet(server, context, name="one.test")
    _, again = meet(server, context, name="one.test", session=client.connection.get_session())
    assert again.facts().resumed
    assert again.facts().server_name == "one.test"


def test_what_has_not_changed_is_not_read_again():
    server = server_of(DEFAULT, sni={"one.test": pem(ONE), "two.test": pem(BELOW)})
    served(server, "one.test"), served(server, "two.test")
    before = dict(server._names.contexts)
    server.replace({"/chain.pem": pem(DEFAULT)}, {"one.test": pem(ONE), "two.test": pem(RSA)})
    assert server._names.contexts == {pem(ONE): before[pem(ONE)]}
    assert served(server, "two.test")[0] == "rsa.test"


def test_memory_for_names_has_a_limit(monkeypatch):
    monkeypatch.setattr("postroad.net.tls.sni._KEPT", 2)
    names = {f"{number}.test": pem(ONE) + b"\n" * number for number in range(5)}
    server = server_of(DEFAULT, sni=names)
    for name in names:
        assert served(server, name)[0] == "one.test"
        assert len(server._names.contexts) <= 2


def test_a_chain_can_be_tried():
    assert context_of("one.test", pem(ONE)) is not None
    assert ServerNames({}).contexts == {}


async def test_openssl_is_served_by_name():
    async with echoing(server_of(DEFAULT, sni={"one.test": pem(ONE)})) as (port, _):
        assert "CN = one.test" in await s_client(port, "-servername", "one.test")
        assert "CN = default.test" in await s_client(port, "-servername", "other.test")
        assert "CN = default.test" in await s_client(port, "-noservername")
