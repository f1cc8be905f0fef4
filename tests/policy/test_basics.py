"""Restrictions that ask nothing."""

from __future__ import annotations

import pytest

from postroad.base.log import ListSink, Log
from postroad.model.tls import TlsFacts
from postroad.policy import basics
from postroad.policy.query import CLIENT, Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, ServerError
from postroad.tables.context import TableContext


@pytest.fixture
def services(settings):
    def make(**texts):
        return Services(
            settings(**texts),
            tables=TableContext(),
            networks=None,
            router=None,
            recipients=None,
            own_address=bool,
            log=Log(ListSink()),
        )

    return make


@pytest.fixture
def query(session):
    made = Query(session, "RCPT", Log(ListSink()), soft_bounce=False)
    made.begin("unknown[192.0.2.10]", CLIENT)
    return made


def test_permit_permits_and_the_others_use_their_codes(services, query):
    made = services(reject_code="521", defer_code="421")
    assert basics.permit(made)(query) is PERMIT
    assert basics.reject(made)(query).line() == (
        "521 5.7.1 <unknown[192.0.2.10]>: Client host rejected: Access denied"
    )
    assert basics.defer(made)(query).line() == (
        "421 4.3.2 <unknown[192.0.2.10]>: Client host rejected: Try again later"
    )


def test_a_plain_text_session_is_refused_and_an_encrypted_one_is_not(services, query):
    check = basics.reject_plaintext_session(services())
    assert check(query).line() == "450 4.7.1 Session encryption is required"
    query.session.tls_facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256)
    assert check(query) is None


def test_a_bounce_to_several_recipients_is_refused_from_the_second_rcpt_on(services, query, recipient):
    check = basics.reject_multi_recipient_bounce(services())
    query.session.transaction.sender = ""
    assert check(query) is None
    query.session.transaction.recipients.append(recipient("u@here.test"))
    assert check(query).line().startswith("550 5.5.3 ")
    query.session.transaction.sender = "a@example.net"
    assert check(query) is None


def test_the_deferrals_are_remembered(services, query):
    assert basics.defer_if_permit(services())(query) is None
    assert basics.defer_if_reject(services())(query) is None
    assert (query.put_off.status, query.doubt.status, query.stop) == ("4.7.0", "4.7.0", True)


def test_an_unknown_word_is_an_error(query):
    with pytest.raises(ServerError, match='unknown smtpd restriction: "what"'):
        basics.unknown("what")(query)


async def test_pipelining_without_leave_is_refused(services, ask, session):
    check = basics.reject_unauth_pipelining(services())
    assert await ask(check) is None
    session.memory["improper_pipelining"] = True
    assert await ask(check) == (
        "503 5.5.0 <u@here.test>: Recipient address rejected: Improper use of SMTP command pipelining"
    )


async def test_sleep_waits_and_decides_nothing(services, ask):
    waited = []

    async def pause(seconds):
        waited.append(seconds)

    made = services()
    made.pause = pause
    assert await ask(basics.sleep(made, "sleep", "3", "")) is None
    assert await ask(basics.sleep(made, "sleep", "0", "")) is None
    assert waited == [3]


@pytest.mark.parametrize("argument", ["", "x", "-1", "1.5", "\u0661"])
async def test_sleep_needs_a_number(services, ask, argument):
    with pytest.raises(ServerError, match="restriction sleep must be followed by number"):
        await ask(basics.sleep(services(), "sleep", argument, ""))
