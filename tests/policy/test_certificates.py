"""Certificates of clients: permitted by fingerprint or by authority, and looked up in access tables."""

from __future__ import annotations

import pytest

from postroad.model.tls import PeerCertificate, TlsFacts
from postroad.policy import certificates as rules
from postroad.policy.certificates import CertificateTable
from postroad.policy.names import TABLE_TAKERS
from postroad.policy.verdict import PERMIT, ServerError

CERT, KEY = "AB:CD:EF", "01:23:4F"


@pytest.fixture
def show(session):
    """Return a function that gives the session TLS, with a certificate or without."""

    def make(*, certificate: bool = True, trusted: bool = False):
        peer = PeerCertificate("client.test", "Some CA", CERT, KEY, trusted) if certificate else None
        session.tls_facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, peer=peer)

    return make


@pytest.mark.parametrize("listed", [CERT, KEY, CERT.lower()])
async def test_a_listed_certificate_or_key_is_permitted_whoever_signed_it(services, ask, show, listed):
    check = rules.permit_tls_clientcerts(services(relay_clientcerts=f"inline:{{{{{listed}=x}}}}"))
    assert await ask(check) is None
    show(certificate=False)
    assert await ask(check) is None
    show()
    assert await ask(check) is PERMIT


async def test_a_certificate_that_is_not_listed_is_not_permitted_even_if_it_is_trusted(services, ask, show):
    show(trusted=True)
    assert await ask(rules.permit_tls_clientcerts(services(relay_clientcerts="inline:{{AB:CD=x}}"))) is None
    assert await ask(rules.permit_tls_clientcerts(services())) is None


async def test_every_trusted_certificate_is_permitted_and_those_that_are_listed(services, ask, show):
    check = rules.permit_tls_all_clientcerts(services(relay_clientcerts=f"inline:{{{{{KEY}=x}}}}"))
    assert await ask(check) is None
    show(trusted=True)
    assert await ask(rules.permit_tls_all_clientcerts(services())) is PERMIT
    show()
    assert await ask(rules.permit_tls_all_clientcerts(services())) is None
    assert await ask(check) is PERMIT


async def test_a_list_of_certificates_that_cannot_be_asked_is_a_451(world, say, session, show):
    here = world(
        relay_clientcerts="fail:none",
        smtpd_relay_restrictions="permit_tls_clientcerts, reject_unauth_destination",
    )
    assert (await say(here, "x@out.test")).startswith("554 5.7.1 ")  # no certificate: nothing to ask
    show()
    assert await say(here, "x@out.test") == "451 4.3.0 <x@out.test>: Temporary lookup failure"


def access(services, argument: str):
    return TABLE_TAKERS["check_ccert_access"](services, "check_ccert_access", argument, "")


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        (f"inline:{{{{{CERT}=REJECT}}}}", "Access denied"),
        (f"inline:{{{{{KEY}=REJECT go away}}}}", "go away"),
        (f"inline:{{{{{CERT}=DUNNO}},{{{KEY}=REJECT key}}}}", "key"),
        (f"inline:{{{{{CERT}=reject}}}}", "Access denied"),
        (
            f"{{inline:{{{{{CERT}=REJECT cert}},{{{KEY}=REJECT key}}}}, {{search_order=pubkey_fingerprint}} }}",
            "key",
        ),
        (f"{{ inline:{{{{{CERT}=REJECT cert}}}} }}", "cert"),
    ],
)
async def test_a_table_is_asked_for_both_fingerprints(services, ask, show, argument, answer):
    show()
    got = await ask(access(services(smtpd_tls_ask_ccert="yes"), argument))
    assert got == f"554 5.7.1 <client.test>: Client certificate rejected: {answer}"


@pytest.mark.parametrize(
    "argument",
    [
        "inline:{{AA:BB=REJECT}}",
        f"{{ inline:{{{{{CERT}=REJECT}}}} {{search_order = pubkey_fingerprint}} }}",
        f"{{ inline:{{{{{CERT}=REJECT}}}} {{search_order = }} }}",
    ],
)
async def test_what_a_table_is_not_asked_for_or_does_not_know_decides_nothing(services, ask, show, argument):
    show()
    assert await ask(access(services(), argument)) is None


async def test_a_table_can_permit(services, ask, show):
    show()
    assert await ask(access(services(), f"inline:{{{{{CERT}=OK}}}}")) is PERMIT


async def test_a_table_that_cannot_be_asked_refuses_for_now(services, ask, show):
    show()
    got = await ask(access(services(), "fail:none"))
    assert got == "451 4.3.5 <client.test>: Client certificate rejected: Server configuration error"


async def test_without_a_certificate_nothing_is_asked_but_the_operator_hears_why(services, ask, show, sink):
    show(certificate=False)
    assert await ask(access(services(smtpd_tls_ask_ccert="yes"), "static:REJECT")) is None
    assert not sink.lines
    assert await ask(access(services(), "static:REJECT")) is None
    assert 'check_ccert_access is requested, but "smtpd_tls_ask_ccert = no"' in str(sink.lines)


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("{ inline:{a=b} {search_order = issuer} }", "unknown search type 'issuer' in"),
        ("{ inline:{a=b} {foo = issuer} }", "unknown map attribute in"),
        ("{ inline:{a=b} search_order }", "missing '=' after attribute name"),
        ("{ }", "empty map specification: '{ }'"),
        ("nothing", 'bad argument "nothing": need maptype:mapname'),
        ("", 'bad argument "": need maptype:mapname'),
    ],
)
async def test_an_argument_that_cannot_be_used_is_an_error_for_every_client(services, ask, argument, why):
    with pytest.raises(ServerError, match=why.replace("{", r"\{").replace("}", r"\}")):
        await ask(access(services(), argument))


def test_an_argument_is_read():
    assert CertificateTable.read("hash:/x") == ("hash:/x", ("cert_fingerprint", "pubkey_fingerprint"))
    assert CertificateTable.read("{hash:/x, {search_order=Pubkey_Fingerprint}}") == (
        "hash:/x",
        ("pubkey_fingerprint",),
    )
