"""Whom a service serves under TLS: certificates of clients, and limits by time."""

from __future__ import annotations

import pytest

from peers.certificates import Authority, self_signed
from postroad.smtpd.encryption import fault_text

from .conftest import Peer
from .tlspeer import context, ended, upgraded

MAY = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1"}
ENCRYPT = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_loglevel": "1"}
HERE = "unknown[127.0.0.1]"


@pytest.mark.parametrize("shown", [False, True])
async def test_where_a_certificate_is_demanded_it_has_to_be_a_trusted_one(stand, pair, tmp_path, shown):
    port = await stand.serve(pair=pair, smtpd_tls_req_ccert="yes", **ENCRYPT)
    made = context(self_signed("client.example") if shown else None, tmp_path)
    peer = await upgraded(port, made=made)
    words = "Client certificate not trusted" if shown else "No client certificate presented"
    assert await peer.ask("EHLO x") == f"421 4.7.1 mx.example.test Error: {words}"
    assert await peer.reply() == "(closed)"
    await ended(stand)
    if shown:
        assert (
            stand.log.pop(1) == f"smtpd: certificate verification failed for {HERE}: self-signed certificate"
        )
    assert stand.log[1].startswith(
        f"smtpd: {'Untrusted' if shown else 'Anonymous'} TLS connection established"
    )
    assert stand.log[2:] == [
        f"smtpd: NOQUEUE: abort: TLS from {HERE}: {words}",
        f"smtpd: disconnect from {HERE} ehlo=1 starttls=1 commands=2",
    ]
    await peer.close()


async def test_where_tls_is_optional_a_certificate_is_too(stand, pair):
    peer = await upgraded(await stand.serve(pair=pair, smtpd_tls_req_ccert="yes", **MAY))
    assert (await peer.ask("EHLO x")).startswith("250")
    await peer.close()


async def test_another_certificate_is_for_new_sessions(stand, pair):
    port = await stand.serve(pair=pair, **MAY)
    peer = await upgraded(port)
    other = self_signed("other.example.test")
    stand.service.tls.replace({"/cert": other.certificate_pem, "/key": other.key_pem}, {})
    assert (await peer.ask("EHLO x")).startswith("250")
    new = await upgraded(port)
    assert [each.tls.getpeercert(binary_form=True) for each in (peer, new)] == [pair.der, other.der]
    await peer.close()
    await new.close()


async def test_a_client_with_too_many_new_sessions_is_told_and_then_refused(stand, pair):
    port = await stand.serve(pair=pair, smtpd_client_new_tls_session_rate_limit="1", name="25", **MAY)
    one = await upgraded(port)
    assert (await one.ask("EHLO x")).startswith("250")
    two = await upgraded(port)
    text = f"Error: too many new TLS sessions from {HERE}"
    assert await two.ask("EHLO x") == f"421 4.7.0 mx.example.test {text}"
    assert f"smtpd: warning: New TLS session rate limit exceeded: 2 from {HERE} for service 25" in stand.log
    three = await Peer.connect(port)
    await three.reply()
    assert await three.ask("STARTTLS") == f"454 4.7.0 {text}"
    assert stand.log[-1] == f"smtpd: warning: Refusing STARTTLS request from {HERE} for service 25"
    assert await three.ask("NOOP") == "250 2.0.0 Ok"
    for peer in (one, two, three):
        await peer.close()


async def test_a_client_that_the_exceptions_name_may_do_it_as_often_as_it_likes(stand, pair):
    limits = {
        "smtpd_client_new_tls_session_rate_limit": "1",
        "smtpd_client_event_limit_exceptions": "127.0.0.1",
    }
    port = await stand.serve(pair=pair, **limits, **MAY)
    for _ in range(3):
        peer = await upgraded(port)
        assert (await peer.ask("EHLO x")).startswith("250")
        await peer.close()


async def test_a_certificate_of_an_unknown_authority_is_told_by_its_issuer(stand, pair, tmp_path):
    made = context(Authority("Somebody").issue("client.example"), tmp_path)
    peer = await upgraded(await stand.serve(pair=pair, smtpd_tls_req_ccert="yes", **ENCRYPT), made=made)
    assert (await peer.ask("EHLO x")).startswith("421")
    assert stand.log[1] == f"smtpd: certificate verification failed for {HERE}: untrusted issuer Somebody"
    assert stand.log[2].startswith("smtpd: Untrusted TLS connection established")
    await peer.close()


async def test_where_none_is_demanded_nothing_is_wrong_with_one(stand, pair, tmp_path):
    made = context(self_signed("client.example"), tmp_path)
    peer = await upgraded(await stand.serve(pair=pair, smtpd_tls_ask_ccert="yes", **MAY), made=made)
    assert (await peer.ask("EHLO x")).startswith("250")
    assert stand.log[1].startswith("smtpd: Untrusted TLS connection established")
    await peer.close()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (9, "certificate not yet valid"),
        (10, "certificate has expired"),
        (19, "self-signed certificate"),
        (20, "untrusted issuer CA"),
        (26, "num=26"),
    ],
)
def test_what_can_be_wrong_with_a_certificate(number, text):
    assert fault_text(number, "CA") == text
