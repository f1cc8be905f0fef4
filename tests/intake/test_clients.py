import pytest

from postroad.base.errors import TableUnavailable
from postroad.intake.clients import LocalClients
from postroad.model.forwarded import Forwarded
from postroad.model.tls import PeerCertificate, TlsFacts


@pytest.mark.parametrize(
    ("members", "facts", "expected"),
    [
        ("permit_inet_interfaces", {"address": "127.0.0.1"}, True),
        ("permit_inet_interfaces", {"address": "::1"}, True),
        ("permit_inet_interfaces", {"address": "192.0.2.1"}, False),
        ("permit_sasl_authenticated", {"sasl_username": "al"}, True),
        ("permit_sasl_authenticated", {}, False),
        ("permit_mynetworks", {}, False),
        ("", {"address": "127.0.0.1"}, False),
        ("", {"uid": 1000}, True),
        ("permit_tls_clientcerts, permit_tls_all_clientcerts", {}, False),
    ],
)
async def test_words_are_decided_without_waiting(bench, members, facts, expected):
    b = bench(local_header_rewrite_clients=members)
    clients = LocalClients(b.settings, b.tables, b.own)
    session = b.session(**facts)
    assert clients.now(session) is expected
    assert await clients.find(session) is expected


@pytest.mark.parametrize(
    ("networks", "now", "expected"),
    [
        ("192.0.2.0/24", True, True),
        ("!192.0.2.10, 192.0.2.0/24", False, False),
        ("inline:{ {192.0.2.10=x} }", True, True),
        ("inline:{ {192.0.2.11=x} }", False, False),
    ],
)
async def test_clients_in_mynetworks_are_local_whether_a_restriction_asked_or_not(
    bench, networks, now, expected
):
    b = bench(local_header_rewrite_clients="permit_mynetworks", mynetworks=networks)
    clients = LocalClients(b.settings, b.tables, b.own)
    assert clients.now(b.session()) is now
    assert await clients.find(b.session()) is expected


async def test_networks_that_cannot_be_looked_up_are_no_answer(bench):
    b = bench(local_header_rewrite_clients="permit_mynetworks", mynetworks="fail:x")
    clients = LocalClients(b.settings, b.tables, b.own)
    assert clients.now(b.session()) is None
    with pytest.raises(TableUnavailable):
        await clients.find(b.session())


@pytest.mark.parametrize("word", ["", "check_address_map "])
async def test_tables_are_asked_for_the_clients_address(bench, word):
    b = bench(local_header_rewrite_clients=f"permit_mynetworks, {word}inline:{{ {{192.0.2.1=x}} }}")
    clients = LocalClients(b.settings, b.tables, b.own)
    assert clients.now(b.session(address="192.0.2.1")) is None
    assert await clients.find(b.session(address="192.0.2.1"))
    assert not await clients.find(b.session(address="192.0.2.2"))


@pytest.mark.parametrize(
    ("word", "listed", "trusted", "expected"),
    [
        ("permit_tls_clientcerts", "AB:CD", False, True),
        ("permit_tls_clientcerts", "01:23", False, True),
        ("permit_tls_clientcerts", "45:67", True, False),
        ("permit_tls_all_clientcerts", "45:67", True, True),
        ("permit_tls_all_clientcerts", "45:67", False, False),
        ("permit_tls_all_clientcerts", "AB:CD", False, True),
    ],
)
async def test_a_certificate_makes_a_client_local(bench, word, listed, trusted, expected):
    b = bench(local_header_rewrite_clients=word, relay_clientcerts=f"inline:{{{{{listed}=x}}}}")
    session = b.session()
    peer = PeerCertificate("client.test", "CA", "AB:CD", "01:23", trusted)
    session.tls_facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, peer=peer)
    clients = LocalClients(b.settings, b.tables, b.own)
    assert clients.now(session) is None
    assert await clients.find(session) is expected


async def test_certificates_that_cannot_be_looked_up_are_no_answer(bench):
    b = bench(local_header_rewrite_clients="permit_tls_clientcerts", relay_clientcerts="fail:x")
    session = b.session()
    session.tls_facts = TlsFacts("TLSv1.3", "A", 256, 256, peer=PeerCertificate("c", "", "AB", "01", True))
    with pytest.raises(TableUnavailable):
        await LocalClients(b.settings, b.tables, b.own).find(session)


def test_a_word_that_is_none_is_refused(bench):
    with pytest.raises(ValueError, match='bad local_header_rewrite_clients value: "permit_all"'):
        bench(local_header_rewrite_clients="permit_all")


@pytest.mark.parametrize(("source", "expected"), [("LOCAL", True), ("REMOTE", False), ("", True)])
async def test_where_a_message_comes_from_decides_if_it_is_said(bench, source, expected):
    b = bench(local_header_rewrite_clients="permit_inet_interfaces")
    clients = LocalClients(b.settings, b.tables, b.own)
    session = b.session(address="192.0.2.1" if source == "LOCAL" else "127.0.0.1")
    session.transaction.forwarded = Forwarded(source=source)
    assert clients.now(session) is expected
    assert await clients.find(session) is expected
