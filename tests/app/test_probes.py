"""Probes: who is asked, and what counts as an answer."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from postroad.app import params as app
from postroad.app.probes import AgentProber, NoContent, probe_settings
from postroad.base.clock import TestClock
from postroad.base.errors import StoreUnavailable, TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.model.message import Recipient
from postroad.model.outcome import Outcome
from postroad.model.reply import Reply
from postroad.model.route import AddressClass, Route
from postroad.model.verification import Deliverability, Verification
from postroad.routing import params as routing

HOST = "x.test[192.0.2.1]"


class FakeAgent:
    """Reports an outcome; without one, that the recipient was taken."""

    def __init__(self, outcome=None):
        self.outcome = outcome
        self.jobs = []
        self.together = self.most = 0
        self.gate = None

    def deliver(self, job, report):
        self.jobs.append(job)
        if self.gate is None:
            self._end(job, report)
        else:
            self.together += 1
            self.most = max(self.most, self.together)
            self.gate.append((job, report))

    def _end(self, job, report):
        outcome = self.outcome
        if outcome is None:
            assert job.probe
            outcome = Outcome("2.1.5", "250 2.1.5 Ok", f"{HOST}:25")
        job.all(outcome)
        report(job)

    def release(self):
        gate, self.gate = self.gate, []
        for job, report in gate:
            self.together -= 1
            self._end(job, report)


class FakeRouter:
    def __init__(self, transport="smtp"):
        self.transport = transport

    async def route(self, address, sender=""):
        if self.transport is None:
            raise TableUnavailable("table transport_maps is unavailable")
        return Route(self.transport, address.rpartition("@")[2], address, AddressClass.DEFAULT)


class FakeRecipients:
    refusal: Reply | None = None

    async def refuse(self, address, *, sender=False):
        return self.refusal


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def make(sink):
    def prober(agent=None, transport="smtp", expanded=None):
        async def expand(_sender, recipients):
            return recipients if expanded is None else [Recipient(each) for each in expanded]

        log = Log(sink)
        programs = {name: (name, log) for name in ("smtp", "lmtp", "virtual", "local", "pipe", "error")}
        return AgentProber(
            router=FakeRouter(transport),
            recipients=FakeRecipients(),
            expand=expand,
            agents=dict.fromkeys(programs, agent or FakeAgent()),
            programs=programs,
            new_key=count(0xABC).__next__,
            clock=TestClock(),
        )

    return prober


async def test_an_agent_is_asked_with_a_probe(make, sink):
    agent = FakeAgent()
    found = await make(agent).probe("a@x.test", "double-bounce@here.test")
    assert found == Verification(Deliverability.GOOD, "250 2.1.5 Ok")
    (job,) = agent.jobs
    assert (job.message.sender, job.nexthop, job.transport) == ("double-bounce@here.test", "x.test", "smtp")
    assert [each.address for each in job.recipients] == ["a@x.test"]
    assert job.content.data is None
    assert sink.lines == [
        (
            f"smtp: 000000000000ABC: to=<a@x.test>, relay={HOST}:25, delay=0, delays=0/0/0/0, dsn=2.1.5, "
            "status=deliverable (250 2.1.5 Ok)"
        )
    ]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome("5.1.1", "host x said: 550 5.1.1 no", HOST), Deliverability.BAD),
        (Outcome("4.2.1", "host x said: 450 4.2.1 later", HOST), Deliverability.UNKNOWN),
        (Outcome("4.4.1", "connect to x: Connection refused"), Deliverability.UNKNOWN),
        (Outcome("4.3.0", "local data error while talking to x"), Deliverability.UNKNOWN),
        (Outcome("2.0.0", "discarded"), Deliverability.GOOD),
    ],
)
async def test_any_other_outcome_is_what_it_says(make, sink, outcome, state):
    assert await make(FakeAgent(outcome)).probe("a@x.test", "") == Verification(state, outcome.text)
    status = "deliverable" if state is Deliverability.GOOD else "undeliverable"
    assert f"dsn={outcome.status}, status={status} ({outcome.text})" in sink.lines[0]


@pytest.mark.parametrize(
    ("transport", "text"),
    [("virtual", "delivers to mailbox"), ("local", "delivers to mailbox"), ("pipe", "delivers to command")],
)
async def test_mailboxes_and_programs_are_not_touched(make, transport, text):
    agent = FakeAgent()
    assert await make(agent, transport).probe("a@x.test", "") == Verification(Deliverability.GOOD, text)
    assert agent.jobs == []


@pytest.mark.parametrize(
    ("refusal", "found"),
    [
        (
            Reply(
                550, "5.1.1", "<a@x.test>: Recipient address rejected: User unknown in virtual mailbox table"
            ),
            Verification(Deliverability.BAD, "User unknown in virtual mailbox table"),
        ),
        (Reply(450, "4.1.1", "not now"), Verification(Deliverability.UNKNOWN, "not now")),
    ],
)
async def test_an_address_of_ours_that_does_not_exist_needs_no_probe(make, refusal, found):
    agent = FakeAgent()
    prober = make(agent)
    prober._recipients.refusal = refusal
    assert await prober.probe("a@x.test", "") == found
    assert agent.jobs == []


async def test_what_cannot_be_looked_up_is_undecided(make):
    assert (await make(transport=None).probe("a@x.test", "")).state is Deliverability.UNKNOWN
    found = await make(transport="gone").probe("a@x.test", "")
    assert found == Verification(Deliverability.UNKNOWN, "mail transport unavailable")
    prober = make()

    async def fails(_sender, _recipients):
        raise TableUnavailable("table virtual_alias_maps is unavailable")

    prober._expand = fails
    assert (await prober.probe("a@x.test", "")).text == "address resolver failure"


async def test_an_alias_is_good_if_one_of_its_addresses_is(make):
    class Picky(FakeAgent):
        def _end(self, job, report):
            self.outcome = None if job.recipients[0].address == "good@x.test" else Outcome("5.1.1", "no")
            super()._end(job, report)

    expanded = ["bad@x.test", "good@x.test", "never@x.test"]
    agent = Picky()
    assert (await make(agent, expanded=expanded).probe("all@x.test", "")).state is Deliverability.GOOD
    assert len(agent.jobs) == 2
    assert (await make(Picky(), expanded=expanded[:1]).probe("all@x.test", "")).state is Deliverability.BAD
    many = Picky()
    await make(many, expanded=[f"{number}@x.test" for number in range(99)]).probe("all@x.test", "")
    assert len(many.jobs) == 5
    assert (await make(expanded=[]).probe("none@x.test", "")).state is Deliverability.UNKNOWN


async def test_one_next_hop_is_not_asked_by_many_at_one_time(make):
    agent = FakeAgent()
    agent.gate = []
    prober = make(agent)
    probes = [asyncio.ensure_future(prober.probe(f"{number}@x.test", "")) for number in range(12)]
    other = asyncio.ensure_future(prober.probe("a@y.test", ""))
    while not all(probe.done() for probe in [*probes, other]):
        await asyncio.sleep(0)
        assert agent.together <= 6
        if agent.together == 6 or len(agent.jobs) > 6:
            agent.release()
    assert agent.most == 6
    assert prober._turns == {}


async def test_an_agent_that_never_reports_is_not_waited_for_for_ever(make, monkeypatch):
    monkeypatch.setattr("postroad.app.probes._LONGEST", 0.01)
    agent = FakeAgent()
    agent.gate = []
    assert (await make(agent).probe("a@x.test", "")).text == "no result in time"


def test_addresses_beyond_ascii_are_said_to_be(make):
    message = make()._message("ü@x.test", "")
    assert message.smtputf8
    assert not make()._message("u@x.test", "").smtputf8


def test_a_probe_has_no_content():
    assert NoContent().data is None
    with pytest.raises(StoreUnavailable):
        next(NoContent().pieces())


def test_probes_may_be_routed_in_their_own_way():
    groups = [model.params, routing.params, app.params]
    settings = settings_of(groups, relayhost="[relay.test]", syslog_name="postfix")
    assert probe_settings(settings) is settings
    settings = settings_of(
        groups,
        relayhost="[relay.test]",
        address_verify_relayhost="",
        address_verify_transport_maps="inline:{x=smtp:}",
        syslog_name="postfix",
    )
    other = probe_settings(settings)
    assert (settings[routing.RELAYHOST], other[routing.RELAYHOST]) == ("[relay.test]", "")
    assert other[routing.TRANSPORT_MAPS] == ("inline:{x=smtp:}",)
    assert other[model.DEFAULT_TRANSPORT] == settings[model.DEFAULT_TRANSPORT]
