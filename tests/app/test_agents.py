"""Which agent a service of master.cf becomes, and mail that one agent passes on to another."""

import pytest

from app.texts import config_of
from delivery.smtp.tlsserver import make
from postroad.app.build import build
from postroad.app.certificates import Certificates
from postroad.delivery.mailbox.ends import DiscardAgent, ErrorAgent, RetryAgent
from postroad.delivery.mailbox.local import LocalAgent
from postroad.delivery.mailbox.virtual import VirtualAgent
from postroad.delivery.smtp.agent import SmtpAgent
from postroad.model.job import Job
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome
from postroad.outcome.statusfilter import FilteredAgent

MASTER = """\
slow unix - - n - 1 smtp
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
local unix - n n - - local
discard unix - - n - - discard
retry unix - - n - - error
secret unix - - n - - smtp -o smtp_tls_security_level=encrypt
other unix - - n - - pipe argv=/bin/true
"""


async def test_the_program_of_a_service_decides(core):
    agents = {name: lanes.agent for name, lanes in build(config_of("", MASTER), core).transports.items()}
    kinds = {
        "smtp": SmtpAgent, "slow": SmtpAgent, "lmtp": SmtpAgent, "virtual": VirtualAgent, "local": LocalAgent,
        "discard": DiscardAgent, "error": ErrorAgent, "retry": RetryAgent, "secret": SmtpAgent,
    }  # fmt: skip
    assert {name: type(agent) for name, agent in agents.items()} == kinds


async def test_only_a_client_that_needs_it_looks_for_tls_and_logins(core):
    agents = {name: lanes.agent for name, lanes in build(config_of("", MASTER), core).transports.items()}
    asked = {name: agents[name]._context.security is not None for name in ("smtp", "lmtp", "secret")}
    assert asked == {"smtp": False, "lmtp": False, "secret": True}


async def test_a_client_gets_the_files_of_the_supervisor_and_new_ones(core):
    main = "smtp_tls_security_level = encrypt\nsmtp_tls_cert_file = /client.pem\n"
    agent = build(config_of(main, MASTER), core).transports["smtp"].agent
    engine = agent._context.security.engine
    assert engine.flaw == "/client.pem: cannot be read"
    assert engine.tls is None
    assert core.keyring.replace(Certificates({"/client.pem": make("client").all})) == []
    assert engine.tls is not None
    assert core.keyring.replace(Certificates({"/client.pem": b"nonsense"}))
    assert engine.tls is not None


class Agent:
    gathers = 1

    def __init__(self, fails=False):
        self.jobs = []
        self.fails = fails

    def deliver(self, job, report):
        self.jobs.append((job.transport, job.nexthop))
        if self.fails:
            raise RuntimeError("a defect")
        job.all(Outcome("2.0.0", "delivered"))
        report(job)

    async def close(self):
        pass


def passed(core, place, agent=None, *, probe=False):
    """Let the smtp agent pass a job on to ``place``; returns it, when it has reported."""
    stages = build(config_of("best_mx_transport = local\n", MASTER), core)
    if agent is not None:
        stages.transports["local"].agent = agent
    job = Job(Message(1, "s@x", [], 0.0), [Recipient("r@x")], "smtp", "x.example", Text(b""))
    job.probe = probe
    reports = []
    pass_on = stages.transports["smtp"].agent._pass_on
    pass_on(job, place, reports.append)
    assert reports == [job]
    return job


@pytest.mark.parametrize(("place", "nexthop"), [("local", "x.example"), ("local:there", "there")])
async def test_a_job_is_passed_on_and_logged_as_who_delivered_it(core, place, nexthop):
    agent = Agent()
    job = passed(core, place, agent)
    assert agent.jobs == [("local", nexthop)]
    assert job.transport == "local"
    assert job.outcomes[0].status == "2.0.0"


async def test_a_probe_is_delivered_nowhere(core):
    agent = Agent()
    job = passed(core, "local", agent, probe=True)
    assert agent.jobs == []
    assert (job.outcomes[0].status, job.outcomes[0].text) == ("2.0.0", "delivers to mailbox")


async def test_the_reports_of_a_service_are_filtered_if_it_says_so(core):
    master = MASTER.replace("1 smtp\n", "1 smtp -o smtp_delivery_status_filter=static:4.9.9\n")
    transports = build(config_of("", master), core).transports
    assert [name for name, lanes in transports.items() if isinstance(lanes.agent, FilteredAgent)] == ["slow"]


async def test_a_transport_that_is_not_there_defers(core):
    assert passed(core, "nosuch").outcomes[0].status == "4.3.0"


async def test_a_transport_that_would_pass_on_to_itself_loops(core):
    assert passed(core, "smtp").outcomes[0].status == "5.4.6"


async def test_a_defect_of_the_other_agent_defers(core):
    job = passed(core, "local", Agent(fails=True))
    assert job.outcomes[0].text == "unknown mail transport error"
