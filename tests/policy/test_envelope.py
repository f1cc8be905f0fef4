"""What the addresses of the envelope mean."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.base.tasks import result
from postroad.policy.envelope import Envelope, Meaning
from postroad.policy.query import Query


@pytest.fixture
def meaning(services, session, sink):
    async def of(address, **texts):
        made = services(myorigin="here.test", **texts)
        found = await Envelope(made).meaning(address, Query(session, "RCPT", Log(sink), soft_bounce=False))
        return found, made.router.asked

    return of


@pytest.mark.parametrize("address", ["u@here.test", "U.x+y@Here.Test", "u@far.example"])
async def test_a_plain_address_means_itself_and_costs_no_route(meaning, address):
    assert await meaning(address) == (Meaning(address, suspicious=False), [])


@pytest.mark.parametrize(
    ("address", "resolved", "suspicious"),
    [
        ("u", "u@here.test", False),
        ("u@here.test.", "u@here.test", False),
        ("u%far.test@here.test", "u%far.test@here.test", True),
        ("far.test!u@here.test", "far.test!u@here.test", True),
        ("u@far.test@here.test", "u@far.test@here.test", True),
        ("u@[192.0.2.1]", "u@[192.0.2.1]", False),
    ],
)
async def test_any_other_address_is_resolved(meaning, address, resolved, suspicious):
    found, asked = await meaning(address)
    assert found == Meaning(resolved, suspicious)
    assert asked == [resolved]
    assert not (await meaning(address, allow_untrusted_routing="yes"))[0].suspicious


async def test_who_cannot_be_routed_is_named_in_whichever_list(world, session):
    made = world(smtpd_client_restrictions="reject_unauth_destination")
    made.router.broken = True
    reply = await result(made.policy.recipient(session, "u@box.test"))
    assert reply.line() == "451 4.3.0 <u@box.test>: Temporary lookup failure"
