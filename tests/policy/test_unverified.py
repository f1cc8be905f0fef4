"""reject_unverified_sender and _recipient: what follows from what is known."""

from __future__ import annotations

import pytest

from postroad.base.errors import LookupUnavailable
from postroad.model.verification import IN_PROGRESS, Deliverability, Verification
from postroad.policy.names import MAKERS
from postroad.policy.service import ServicePolicy
from postroad.tables.context import TableContext

GOOD = Verification(Deliverability.GOOD, "250 2.1.5 Ok")
BAD = Verification(Deliverability.BAD, "host x said: 550 5.1.1 no (in reply to RCPT TO command)")
LATER = Verification(Deliverability.UNKNOWN, "connect to x: Connection refused")


class FakeVerifier:
    def __init__(self, found):
        self.found = found
        self.asked = []

    async def verify(self, address):
        self.asked.append(address)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def is_probe_sender(self, address):
        return address == "double-bounce@here.test"


@pytest.fixture
def refused(services, ask):
    """Return a function that asks a restriction about an address of which this is known."""

    async def answer(found, name="reject_unverified_recipient", who=None, **texts):
        made = services(**texts)
        made.verifier = None if found is None else FakeVerifier(found)
        return await ask(MAKERS[name](made), who)

    return answer


RECIPIENT = "<u@here.test>: Recipient address rejected: "


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (GOOD, None),
        (BAD, f"450 4.1.1 {RECIPIENT}unverified address: {BAD.text}"),
        (LATER, f"450 4.1.1 {RECIPIENT}unverified address: {LATER.text}"),
        (IN_PROGRESS, f"450 4.1.1 {RECIPIENT}unverified address: Address verification in progress"),
        (LookupUnavailable("x"), f"450 4.1.1 {RECIPIENT}address verification problem"),
        (None, f"450 4.1.1 {RECIPIENT}address verification problem"),
    ],
)
async def test_an_address_that_is_not_good_is_refused_for_now(refused, found, line):
    assert await refused(found) == line


async def test_a_sender_is_looked_at_in_the_same_way(refused, session):
    name = "reject_unverified_sender"
    assert await refused(GOOD, name) is None
    assert await refused(BAD, name) == (
        f"450 4.1.7 <a@example.net>: Sender address rejected: unverified address: {BAD.text}"
    )
    assert await refused(BAD, name, unverified_sender_reject_code="550") == (
        f"550 4.1.7 <a@example.net>: Sender address rejected: undeliverable address: {BAD.text}"
    )
    for sender in ("", None):
        session.transaction.sender = sender
        assert await refused(BAD, name) is None


@pytest.mark.parametrize(
    ("found", "texts", "line"),
    [
        (BAD, {"reject_code": "550"}, f"550 4.1.1 {RECIPIENT}undeliverable address: {BAD.text}"),
        (BAD, {"reject_code": "250"}, None),
        (LATER, {"defer_code": "250"}, None),
        (IN_PROGRESS, {"defer_code": "451"}, f"451 4.1.1 {RECIPIENT}unverified address: {IN_PROGRESS.text}"),
        (BAD, {"reject_reason": "Lookup failed"}, f"450 4.1.1 {RECIPIENT}unverified address: Lookup failed"),
    ],
)
async def test_codes_and_reason_are_the_operator_s(refused, found, texts, line):
    assert (
        await refused(found, **{f"unverified_recipient_{name}": value for name, value in texts.items()})
        == line
    )


@pytest.mark.parametrize(("action", "line"), [("defer", "450 4.1.1"), ("defer_if_permit", "554 5.7.1")])
async def test_a_4xx_waits_for_a_better_reason_or_not(world, say, action, line, settings):
    here = made(
        world,
        settings,
        FakeVerifier(LATER),
        smtpd_recipient_restrictions="reject_unverified_recipient, reject",
        unverified_recipient_tempfail_action=action,
    )
    assert (await say(here, "u@here.test")).startswith(line)


def made(world, settings, verifier, **texts):
    here = world()
    here.policy = ServicePolicy(
        settings(**texts),
        tables=TableContext(),
        router=here.router,
        recipients=here.recipients,
        log=here.policy._log,
        own_address=lambda _: False,
        verifier=verifier,
    )
    return here


async def test_the_sender_of_probes_is_taken_so_that_others_can_verify_it(world, say, settings):
    asks = "reject_unverified_recipient, reject"
    here = made(world, settings, FakeVerifier(BAD), smtpd_recipient_restrictions=asks)
    assert await say(here, "double-bounce@here.test") == ""
    assert await say(here, "u@here.test") != ""
    here = made(world, settings, FakeVerifier(BAD), smtpd_recipient_restrictions="reject")
    assert (await say(here, "double-bounce@here.test")).startswith("554")


async def test_a_long_reason_is_cut(refused):
    line = await refused(BAD._replace(text="x" * 900))
    assert line.endswith(": " + "x" * 250)
