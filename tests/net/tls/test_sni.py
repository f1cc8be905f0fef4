import pytest

from peers.certificates import Authority, self_signed
from peers.tlsends import client_context, echoing, meet, pem, s_client, server_of
from postroad.net.tls import ciphers
from postroad.net.tls.context import new_context
from postroad.net.tls.errors import TlsError
from postroad.net.tls.sni import fill

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


def both(**texts):
    """Return a server, and the names for which it serves the certificate of all and one of its own."""
    files = {"/ca.pem": CA.pem}
    return server_of(DEFAULT, files=files, sni={"one.test": pem(ONE)}, **texts)


@pytest.mark.parametrize("name", ["", "one.test"])
@pytest.mark.parametrize("old", [False, True])
def test_clients_are_judged_under_every_name(name, old):
    server = both(smtpd_tls_ask_ccert="yes", smtpd_tls_CAfile="/ca.pem")
    for pair, trust in ((CA.issue("client.test"), "Trusted"), (self_signed("client.test"), "Untrusted")):
        facts = meet(server, client_context(pair), name=name, old=old)[1].facts()
        assert (facts.peer.subject, facts.trust) == ("client.test", trust)


@pytest.mark.parametrize("name", ["", "one.test"])
def test_protocols_and_ciphers_are_the_same_under_every_name(name):
    assert meet(both(smtpd_tls_protocols="!TLSv1.3"), name=name)[1].facts().protocol == "TLSv1.2"
    context = client_context()
    context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
    server = both(smtpd_tls_exclude_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    assert meet(server, context, name=name, old=True)[1].facts().cipher == "ECDHE-ECDSA-AES128-GCM-SHA256"
    context = client_context()
    ciphers.set_groups(context, ["secp384r1"])
    assert meet(both(), context, name=name)[1].facts().key_exchange == "ECDHE (secp384r1)"


@pytest.mark.parametrize("name", ["one.test", ""])
async def test_old_clients_are_served_under_every_name(name):
    async with echoing(both()) as (port, _):
        names = ["-servername", name] if name else ["-noservername"]
        said = await s_client(port, "-tls1", "-cipher", "ALL:@SECLEVEL=0", *names)
        assert "New, TLSv1.0, Cipher is ECDHE-ECDSA" in said


@pytest.mark.parametrize("name", ["", "one.test"])
def test_other_protocols_are_refused_under_every_name_and_nobody_else_hears_of_it(name):
    server = both()
    context = client_context()
    context.set_alpn_protos([b"h2"])
    with pytest.raises(TlsError, match="none of smtp, esmtp"):
        meet(server, context, name=name)
    for other in ("", "one.test"):
        assert meet(server, name=other)[1].established


def test_new_authorities_count_under_every_name():
    server = both(smtpd_tls_ask_ccert="yes", smtpd_tls_CAfile="/ca.pem")
    context = client_context(CA.issue("client.test"))
    assert meet(server, context, name="one.test")[1].facts().trust == "Trusted"
    server.replace({"/chain.pem": pem(DEFAULT), "/ca.pem": Authority("other").pem}, {"one.test": pem(ONE)})
    assert meet(server, context, name="one.test")[1].facts().trust == "Untrusted"


def test_the_binding_is_that_of_the_certificate_that_was_served():
    client, accepted = meet(server_of(DEFAULT, sni={"one.test": pem(ONE)}), name="one.test")
    assert accepted.export("tls-server-end-point") == client.export("tls-server-end-point")
    assert accepted.export("tls-server-end-point") == ONE.certificate.fingerprint(
        ONE.certificate.signature_hash_algorithm
    )


def test_a_session_is_gone_on_with_under_its_name():
    server = server_of(DEFAULT, sni={"one.test": pem(ONE)})
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
    context = new_context()
    assert fill(context, "one.test", pem(ONE)) is context
    with pytest.raises(TlsError, match=r"^one.test: no private key"):
        fill(new_context(), "one.test", b"")


async def test_openssl_is_served_by_name():
    async with echoing(server_of(DEFAULT, sni={"one.test": pem(ONE)})) as (port, _):
        assert "CN = one.test" in await s_client(port, "-servername", "one.test")
        assert "CN = default.test" in await s_client(port, "-servername", "other.test")
        assert "CN = default.test" in await s_client(port, "-noservername")
