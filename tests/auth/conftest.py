"""Sessions and authenticators for tests."""

from __future__ import annotations

import asyncio

import pytest

from postroad.auth.build import authenticator
from postroad.auth.params import params
from postroad.base.clock import SystemClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.client import Client
from postroad.model.params import params as model_params
from postroad.model.session import Session
from postroad.model.tls import PeerCertificate, TlsFacts
from postroad.tables.context import TableContext


def a_session(address="192.0.2.1", *, tls=False, peer: PeerCertificate | None = None, binding=None):
    session = Session(Client(address, server_address="192.0.2.25"))
    if tls:
        session.tls_facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, peer=peer)
        session.channel_binding = binding or (lambda kind: kind.encode())
    return session


def settings(**texts):
    return settings_of([params, model_params], **texts)


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def build(sink):
    """Make an authenticator from settings; AUTH is on, failures are not delayed."""

    def make(clock=None, workers=1, tables=None, **texts):
        texts = {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_failure_delay": "0"} | texts
        return authenticator(
            settings(**texts),
            tables or TableContext(),
            Log(sink),
            clock or SystemClock(),
            asyncio.get_running_loop(),
            workers=workers,
        )

    return make
