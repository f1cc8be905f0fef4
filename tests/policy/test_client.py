"""Restrictions about the client."""

from __future__ import annotations

import asyncio

import pytest

from postroad.base.log import ListSink, Log
from postroad.policy import client as rules
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT
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
            own_address=lambda address: address == "192.0.2.10",
            log=Log(ListSink()),
        )

    return make


@pytest.fixture
def ask(new_session):
    def answer(check, **facts):
        session = new_session(facts.pop("address", "192.0.2.10"))
        for name, value in facts.items():
            setattr(session if name.startswith("sasl") else session.client, name, value)
        verdict = check(Query(session, "RCPT", Log(ListSink()), soft_bounce=False))
        return verdict.line() if hasattr(verdict, "line") else verdict

    return answer


@pytest.mark.parametrize(("code", "configured", "answer"), [(2, 550, None), (4, 550, 450), (5, 550, 550)])
def test_a_client_without_a_name_is_refused_for_good_only_when_the_dns_said_so(
    services, ask, code, configured, answer
):
    made = services(unknown_client_reject_code=str(configured))
    text = f"{answer} {str(answer)[0]}.7.25 Client host rejected: cannot find your hostname, [192.0.2.10]"
    got = ask(rules.reject_unknown_client_hostname(made), name_code=code)
    assert got == (text.replace("5.7.25", "4.7.25") if answer else None)


@pytest.mark.parametrize(("code", "answer"), [(2, None), (4, 450), (5, 521)])
def test_the_reverse_name_is_judged_by_itself(services, ask, code, answer):
    made = services(unknown_client_reject_code="521")
    got = ask(rules.reject_unknown_reverse_client_hostname(made), reverse_name_code=code, name_code=2)
    assert got == (
        f"{answer} 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.10]"
        if answer
        else None
    )


class SlowNetworks:
    """A list that waits, and counts."""

    now = False

    def __init__(self):
        self.asked = []

    async def matches(self, address, name=""):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        self.asked.append((address, name))
        return address == "127.0.0.1"


@pytest.mark.parametrize(("address", "answer"), [("127.0.0.1", PERMIT), ("192.0.2.10", None)])
async def test_networks_are_asked_once_in_a_session_even_if_that_takes_time(
    services, new_session, address, answer
):
    made, session = services(), new_session(address)
    made.networks = SlowNetworks()
    check = rules.permit_mynetworks(made)
    query = Query(session, "RCPT", Log(ListSink()), soft_bounce=False)
    assert await check(query) is answer
    assert check(query) is answer
    assert made.networks.asked == [(address, "unknown")]
    assert session.client.trusted is (answer is PERMIT)


def test_an_address_of_this_machine_is_permitted(services, ask):
    check = rules.permit_inet_interfaces(services())
    assert ask(check) is PERMIT
    assert ask(check, address="192.0.2.11") is None


def test_a_login_is_permitted(services, ask):
    check = rules.permit_sasl_authenticated(services(smtpd_sasl_auth_enable="yes"))
    assert ask(check, sasl_username="alice") is PERMIT
    assert ask(rules.permit_sasl_authenticated(services()), sasl_username="alice") is None
    assert ask(check) is None
