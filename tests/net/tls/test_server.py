"""A service's TLS: its certificates, what it demands, clients' certificates, sessions gone on with."""

import hashlib
import subprocess

import pytest
from OpenSSL import SSL

from peers.certificates import Authority, self_signed
from peers.tlsends import client_context, echoing, meet, pem, s_client, server_of, settings
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import self_signed_path
from postroad.net.tls.server import ServerTls

CA = Authority()
EC = CA.issue("ec.test")
RSA = CA.issue("rsa.test", kind="rsa")
CLIENT = CA.issue("client.test")
STRANGER = self_signed("stranger.test")


def served(server, **options):
    return meet(server, **options)[0].facts().peer.subject


# --- certificates


def test_certificates_of_two_sorts_stand_beside_each_other():
    server = server_of(RSA, EC)
    assert [chain.certificate for chain in server.chains] == [RSA.certificate, EC.certificate]
    assert server.ready
    assert served(server) == "ec.test"
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ECDHE-RSA-AES256-GCM-SHA384")
    client, _ = meet(server, context, old=True)
    assert client.facts().peer.subject == "rsa.test"


def test_the_chain_is_shown_with_the_certificate():
    between = Authority("between", above=CA)
    client, _ = meet(server_of(between.issue("deep.test")))
    shown = client.connection.get_peer_cert_chain(as_cryptography=True)
    assert [each.subject.rfc4514_string() for each in shown] == ["CN=deep.test", "CN=between"]


def test_the_old_parameters_name_a_certificate_and_its_key():
    files = {
        "/c.pem": RSA.certificate_pem,
        "/k.pem": RSA.key_pem,
        "/e.pem": EC.certificate_pem + EC.key_pem,
    }
    mine = settings(smtpd_tls_cert_file="/c.pem", smtpd_tls_key_file="/k.pem", smtpd_tls_eccert_file="/e.pem")
    server = ServerTls(mine, files)
    assert [chain.name for chain in server.chains] == ["/c.pem, /k.pem", "/e.pem"]
    assert served(server) == "ec.test"


def test_chain_files_come_before_the_old_parameters():
    mine = settings(smtpd_tls_chain_files="/a.pem, /b.pem", smtpd_tls_cert_file="/not-there.pem")
    assert served(ServerTls(mine, {"/a.pem": EC.key_pem, "/b.pem": EC.certificate_pem})) == "ec.test"


def test_a_file_that_was_not_read_is_named():
    with pytest.raises(TlsError, match=r"^/a.pem: cannot be read$"):
        ServerTls(settings(smtpd_tls_chain_files="/a.pem"), {})


def test_the_certificate_of_our_own_making_is_for_those_who_name_none():
    own = settings()
    files = {self_signed_path(own): pem(EC)}
    assert served(ServerTls(own, files)) == "ec.test"
    assert not ServerTls(own, {}).ready
    none = ServerTls(settings(smtpd_tls_cert_file="none"), files)
    assert none.ready
    assert none.chains == []


async def test_without_a_certificate_there_are_anonymous_ciphers():
    server = ServerTls(settings(smtpd_tls_cert_file="none", smtpd_tls_protocols="!TLSv1.3"), {})
    async with echoing(server) as (port, sessions):
        said = await s_client(port, "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")
        assert "Cipher is A" in said
        said = await s_client(port)
    assert sessions[-1].errors == ["error:0A0000C1:SSL routines::no shared cipher"]


def test_new_certificates_are_for_new_sessions_and_broken_ones_change_nothing():
    server = server_of(EC)
    before, accepted = meet(server)
    server.replace({"/chain.pem": pem(RSA)})
    assert served(server) == "rsa.test"
    before.send(b"still here")
    assert accepted.receive(before.take()) == b"still here"
    with pytest.raises(TlsError, match="the private key is not that of the certificate"):
        server.replace({"/chain.pem": RSA.key_pem + STRANGER.certificate_pem})
    with pytest.raises(TlsError):
        server.replace({})
    assert served(server) == "rsa.test"
    assert [chain.certificate for chain in server.chains] == [RSA.certificate]


# --- clients' certificates


def asking(**texts):
    files = {"/ca.pem": CA.pem}
    return server_of(EC, files=files, smtpd_tls_ask_ccert="yes", smtpd_tls_CAfile="/ca.pem", **texts)


def test_a_client_is_asked_for_its_certificate_and_judged():
    server = asking()
    assert server.asks
    facts = meet(server, client_context(CLIENT))[1].facts()
    assert (facts.trust, facts.peer.subject, facts.peer.issuer) == (
        "Trusted",
        "client.test",
        "Test authority",
    )
    assert facts.peer.certificate_fingerprint == CLIENT.fingerprint()
    assert facts.peer.key_fingerprint == CLIENT.key_fingerprint()
    assert (facts.client_signature, facts.client_digest) == ("ECDSA (prime256v1)", "SHA256")
    facts = meet(server, client_context(STRANGER))[1].facts()
    assert (facts.trust, facts.peer.trusted, facts.peer.subject) == ("Untrusted", False, "stranger.test")
    facts = meet(server)[1].facts()
    assert (facts.trust, facts.peer) == ("Anonymous", None)


def test_an_expired_certificate_of_a_client_is_not_trusted_and_harms_nothing_else():
    _, accepted = meet(asking(), client_context(CA.issue("old.test", expired=True)))
    assert accepted.established
    assert accepted.facts().trust == "Untrusted"


def test_nobody_is_asked_where_nobody_shall_be():
    server = server_of(EC, smtpd_tls_req_ccert="yes")
    assert not server.asks  # it demands nothing where TLS itself is not demanded
    assert meet(server, client_context(CLIENT))[1].facts().peer is None
    assert server_of(EC, smtpd_tls_req_ccert="yes", mandatory=True).asks


def test_the_digest_of_fingerprints():
    server = asking(smtpd_tls_fingerprint_digest="md5")
    peer = meet(server, client_context(CLIENT))[1].facts().peer
    assert peer.certificate_fingerprint == hashlib.md5(CLIENT.der).digest().hex(":").upper()


def test_how_long_a_chain_of_a_client_may_be():
    between = Authority("between", above=CA)
    below = Authority("below", above=between)
    deep = below.issue("deep.test")
    context = client_context(deep)
    context.add_extra_chain_cert(below.certificate)
    context.add_extra_chain_cert(between.certificate)
    assert meet(asking(), context)[1].facts().trust == "Trusted"
    assert meet(asking(smtpd_tls_ccert_verifydepth="1"), context)[1].facts().trust == "Untrusted"


def test_the_systems_authorities_and_a_directory_of_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    (tmp_path / "system.pem").write_bytes(CA.pem)
    with_default = server_of(EC, smtpd_tls_ask_ccert="yes", tls_append_default_CA="yes")
    assert meet(with_default, client_context(CLIENT))[1].facts().trust == "Trusted"
    without = server_of(EC, smtpd_tls_ask_ccert="yes")
    assert meet(without, client_context(CLIENT))[1].facts().trust == "Untrusted"
    folder = tmp_path / "authorities"
    folder.mkdir()
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(tmp_path / "system.pem")]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(CA.pem)
    looking = server_of(EC, smtpd_tls_ask_ccert="yes", smtpd_tls_CApath=str(folder))
    assert meet(looking, client_context(CLIENT))[1].facts().trust == "Trusted"
    assert meet(looking, client_context(STRANGER))[1].facts().trust == "Untrusted"


async def test_anonymous_ciphers_are_not_for_servers_that_ask():
    async with echoing(asking()) as (port, sessions):
        await s_client(port, "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")
    assert sessions[0].errors == ["error:0A0000C1:SSL routines::no shared cipher"]


# --- sessions that are gone on with


@pytest.mark.parametrize("old", [False, True])
def test_a_session_is_gone_on_with_and_keeps_what_was_found_of_the_client(old):
    server = asking()
    for own, trust in ((CLIENT, "Trusted"), (STRANGER, "Untrusted"), (None, "Anonymous")):
        context = client_context(own)
        client, first = meet(server, context, old=old)
        session = client.connection.get_session()
        again = meet(server, context, old=old, session=session)[1]
        assert not first.facts().resumed
        assert again.facts().resumed
        assert again.facts().trust == trust


def test_a_session_of_former_certificates_is_not_trusted_by_its_looks():
    server = asking()
    context = client_context(CLIENT)
    client, _ = meet(server, context)
    session = client.connection.get_session()
    server.replace({"/chain.pem": pem(EC), "/ca.pem": STRANGER.certificate_pem})
    _, again = meet(server, context, session=session)
    assert again.facts().trust == "Untrusted"


def test_a_session_is_gone_on_with_after_a_change_of_others_files():
    server = server_of(EC)
    context = client_context()
    client, _ = meet(server, context)
    session = client.connection.get_session()
    server.replace({"/chain.pem": pem(EC), "/others.pem": b"new"})
    assert meet(server, context, session=session)[1].facts().resumed
    server.replace({"/chain.pem": pem(RSA)})
    assert not meet(server, context, session=session)[1].facts().resumed


@pytest.mark.parametrize("old", [False, True])
def test_no_session_is_gone_on_with_where_the_time_is_zero(old):
    server = server_of(EC, smtpd_tls_session_cache_timeout="0")
    context = client_context()
    client, _ = meet(server, context, old=old)
    again = meet(server, context, old=old, session=client.connection.get_session())[1]
    assert not again.facts().resumed


async def test_session_ids_are_issued_unless_it_is_said_otherwise():
    async def session_id(**texts):
        async with echoing(server_of(EC, smtpd_tls_session_cache_timeout="0", **texts)) as (port, _):
            said = await s_client(port, "-tls1_2")
        return said.partition("Session-ID:")[2].partition("\n")[0].strip()

    assert await session_id()
    assert not await session_id(smtpd_tls_always_issue_session_ids="no")
