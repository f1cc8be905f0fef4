import asyncio

import pytest

from postroad.base.errors import LookupUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.policy.services import NoResolver, Services
from postroad.tables.context import TableContext


def services(**rest):
    return Services(
        settings_of([model.params]),
        tables=TableContext(),
        networks=None,
        router=None,
        recipients=None,
        own_address=lambda _address: False,
        log=Log(ListSink()),
        **rest,
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda dns: dns.mx("x.test"),
        lambda dns: dns.ptr("192.0.2.1"),
        lambda dns: dns.txt("x.test"),
        lambda dns: dns.addresses("x.test"),
        lambda dns: dns.addresses("x.test", 6),
        lambda dns: dns.query("x.test", "MX"),
    ],
)
def test_without_a_resolver_every_question_is_could_not_look_and_never_not_there(ask):
    with pytest.raises(LookupUnavailable, match="no resolver"):
        ask(NoResolver())


def test_a_resolver_that_is_given_is_used():
    resolver = object()
    assert services(resolver=resolver).resolver is resolver
    assert isinstance(services().resolver, NoResolver)


async def test_a_pause_waits_unless_a_test_says_otherwise():
    waited = []

    async def pause(seconds):
        waited.append(seconds)

    await services(pause=pause).pause(5)
    assert waited == [5]
    assert services().pause is asyncio.sleep
