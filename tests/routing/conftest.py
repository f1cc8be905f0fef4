"""Routers from literal settings."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.interfaces import OwnAddresses
from postroad.routing.params import params as routing_params
from postroad.routing.recipients import RecipientCheck
from postroad.routing.router import Router
from postroad.tables.context import TableContext

BASE = {
    "append_dot_mydomain": "no",
    "smtputf8_enable": "yes",
    "myhostname": "mx.example.test",
    "mydestination": "$myhostname, example.test",
    "local_recipient_maps": "",
}


def settings_from(**texts):
    return settings_of([model_params, routing_params], **(BASE | texts))


@pytest.fixture
def make():
    """Return a function from settings to router, check and log lines."""

    def make(**texts):
        settings = settings_from(**texts)
        context = TableContext(texts=settings.texts)
        sink = ListSink()
        router = Router(
            settings, context, Log(sink), OwnAddresses(["127.0.0.1", "192.0.2.2"], ["198.51.100.1"])
        )
        return SimpleNamespace(
            router=router,
            check=RecipientCheck(settings, context, router),
            lines=sink.lines,
            settings=settings,
            context=context,
            log=Log(sink),
        )

    return make
