import pytest

from postroad.base.log import ListSink, Log
from postroad.model.client import Client
from postroad.model.tls import PeerCertificate, TlsFacts
from postroad.policy.items import Item, Sort, read_list
from postroad.policy.query import Query
from postroad.policy.reasons import Reasons, reason_of


def words(session, restriction, recipient=""):
    query = Query(session, "RCPT", Log(ListSink()), soft_bounce=False)
    query.recipient = recipient
    return next(iter(read_list(restriction.split(), {}))), query


@pytest.mark.parametrize(
    ("restriction", "reason"),
    [
        ("permit_mynetworks", "192.0.2.10 is not in mynetworks"),
        ("permit_sasl_authenticated", "not logged in"),
        ("reject_sender_login_mismatch", "not logged in"),
        ("check_sasl_access inline:{a=b}", "not logged in"),
        ("permit_tls_clientcerts", "no client certificate"),
        ("reject_plaintext_session", "no TLS"),
        ("reject_unknown_client_hostname", "name of 192.0.2.10: none"),
        ("reject_unknown_reverse_client_hostname", "reverse name of 192.0.2.10: none"),
        ("reject_invalid_helo_hostname", "HELO x"),
        ("reject", ""),
    ],
)
def test_what_the_session_says(session, restriction, reason):
    assert reason_of(*words(session, restriction)) == reason


def test_a_client_with_everything(session):
    session.client = Client(
        "192.0.2.1", name="a.test", name_code=2, reverse_name="a.test", reverse_name_code=2
    )
    session.client.trusted = True
    session.sasl_username = "eva"
    peer = PeerCertificate("a", "b", "AA", "BB", trusted=False)
    session.tls_facts = TlsFacts("TLSv1.3", "X", 256, 256, peer=peer)
    session.helo = ""
    expected = {
        "permit_mynetworks": "192.0.2.1 is in mynetworks",
        "permit_sasl_authenticated": "logged in as eva",
        "permit_tls_clientcerts": "",
        "reject_plaintext_session": "under TLS",
        "reject_unknown_client_hostname": "name of 192.0.2.1: confirmed (a.test)",
        "reject_unknown_reverse_client_hostname": "reverse name of 192.0.2.1: there is one (a.test)",
        "reject_non_fqdn_helo_hostname": "no HELO",
    }
    assert {name: reason_of(*words(session, name)) for name in expected} == expected


def test_the_null_sender_and_unknown_words_are_said(session):
    session.transaction.sender = ""
    assert reason_of(*words(session, "reject_unknown_sender_domain")) == "the null sender"
    assert (
        reason_of(Item("nonsense", "", Sort.UNKNOWN, False), words(session, "reject")[1])
        == "no such restriction"
    )


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("u@here.test", "here.test is in mydestination, or an address of this machine"),
        ("u@alias.test", "alias.test is in virtual_alias_domains"),
        ("u@box.test", "box.test is in virtual_mailbox_domains"),
        ("u@relay.test", "relay.test is in relay_domains"),
        ("u@far.test", "far.test is no domain of ours"),
    ],
)
async def test_the_class_of_a_recipient_is_said(services, session, address, place):
    assert await Reasons(services()).of(*words(session, "reject_unauth_destination", address)) == place


async def test_what_cannot_be_looked_up_is_left_out(services, session):
    made = services()
    made.router.broken = True
    assert await Reasons(made).of(*words(session, "reject_unauth_destination", "u@box.test")) == ""
    session.transaction.sender = "a@box.test"
    made.router.broken = False
    assert "box.test" in await Reasons(made).of(*words(session, "reject_unlisted_sender"))
