import pytest

from postroad.intake.clients import LocalClients


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
        ("permit_tls_clientcerts", {}, False),
    ],
)
async def test_words_are_decided_without_waiting(bench, members, facts, expected):
    b = bench(local_header_rewrite_clients=members)
    clients = LocalClients(b.settings, b.tables, b.own)
    session = b.session(**facts)
    assert clients.now(session) is expected
    assert await clients.find(session) is expected


def test_trusted_clients_are_those_of_mynetworks(bench):
    b = bench(local_header_rewrite_clients="permit_mynetworks")
    session = b.session()
    session.client.trusted = True
    assert LocalClients(b.settings, b.tables, b.own).now(session)


@pytest.mark.parametrize("word", ["", "check_address_map "])
async def test_tables_are_asked_for_the_clients_address(bench, word):
    b = bench(local_header_rewrite_clients=f"permit_mynetworks, {word}inline:{{ {{192.0.2.1=x}} }}")
    clients = LocalClients(b.settings, b.tables, b.own)
    assert clients.now(b.session(address="192.0.2.1")) is None
    assert await clients.find(b.session(address="192.0.2.1"))
    assert not await clients.find(b.session(address="192.0.2.2"))


def test_a_word_that_is_none_is_refused(bench):
    with pytest.raises(ValueError, match='bad local_header_rewrite_clients value: "permit_all"'):
        bench(local_header_rewrite_clients="permit_all")
