"""What stands behind a port has what the port has, and may be called as the port says."""

from __future__ import annotations

import inspect

import pytest

from postroad.app.probes import AgentProber
from postroad.auth.dovecot import DovecotExchange
from postroad.auth.local import LocalExchange
from postroad.auth.throttled import ThrottledExchange
from postroad.delivery.mailbox.ends import DiscardAgent, ErrorAgent, RetryAgent
from postroad.delivery.mailbox.local import LocalAgent
from postroad.delivery.mailbox.virtual import VirtualAgent
from postroad.delivery.smtp.agent import SmtpAgent
from postroad.filters.proxy import ProxyReceiver
from postroad.filters.session import MilterSession
from postroad.intake import receiver
from postroad.intake.intake import Intake
from postroad.model import ports, queue
from postroad.net.resolver import CachingResolver
from postroad.outcome.outcomes import AttemptOutcomes
from postroad.policy.service import ServicePolicy
from postroad.policy.verifier import AddressVerifier, CachedVerifier
from postroad.routing.router import Router
from postroad.store.memory import MemoryStore
from postroad.store.sqlite import SqliteStore

PAIRS = [
    (ports.Policy, ServicePolicy),
    (ports.Receiver, receiver.Receiver),
    (ports.Receiver, ProxyReceiver),
    (ports.Intake, Intake),
    (queue.Store, MemoryStore),
    (queue.Store, SqliteStore),
    (ports.SaslExchange, DovecotExchange),
    (ports.SaslExchange, LocalExchange),
    (ports.SaslExchange, ThrottledExchange),
    (ports.FilterSession, MilterSession),
    (ports.Router, Router),
    (ports.Agent, SmtpAgent),
    (ports.Agent, LocalAgent),
    (ports.Agent, VirtualAgent),
    (ports.Agent, ErrorAgent),
    (ports.Agent, RetryAgent),
    (ports.Agent, DiscardAgent),
    (ports.Outcomes, AttemptOutcomes),
    (ports.Resolver, CachingResolver),
    (ports.Verifier, AddressVerifier),
    (ports.Verifier, CachedVerifier),
    (ports.Prober, AgentProber),
]


def methods(port):
    return [
        (name, value) for name, value in vars(port).items() if inspect.isfunction(value) and name[0] != "_"
    ]


@pytest.mark.parametrize(("port", "behind"), PAIRS, ids=lambda each: each.__qualname__)
def test_what_stands_behind_a_port_can_be_called_as_it_says(port, behind):
    assert methods(port)
    for name, said in methods(port):
        made = getattr(behind, name)
        names = list(inspect.signature(said).parameters.values())
        bound = inspect.signature(made)
        by_place = [each for each in names if each.kind is not each.KEYWORD_ONLY]
        by_name = [each.name for each in names if each.kind is each.KEYWORD_ONLY]
        required = [each for each in by_place if each.default is each.empty]
        for given in (by_place, required):
            bound.bind(*given, **dict.fromkeys(by_name))
