from __future__ import annotations

import pytest

from patience import until
from postroad.base.log import ListSink, Log
from postroad.model.client import Client
from postroad.smtpd.tally import Counters, Tally

from .conftest import Peer, settings


def tally(*, local=False, counters=None, sink=None, **texts):
    log = Log(sink or ListSink(), pid=1)
    return Tally(settings(**texts), counters or Counters(), log, "smtp", local=local)


@pytest.mark.parametrize(
    ("address", "key"),
    [("192.0.2.7", "smtp 192.0.2.0/24"), ("2001:db8::1", "smtp 2001:db8::/64"), ("unknown", "smtp unknown")],
)
def test_clients_are_counted_by_service_and_network(address, key):
    made = tally(smtpd_client_ipv4_prefix_length="24", smtpd_client_ipv6_prefix_length="64")
    assert made.key_of(Client(address)) == key


def test_services_count_together_what_they_share():
    counters, sink = Counters(), ListSink()
    made = [
        tally(counters=counters, sink=sink, smtpd_client_connection_rate_limit="2"),
        tally(counters=counters, sink=sink, smtpd_client_connection_rate_limit="1"),
    ]
    client = Client("192.0.2.7")
    assert made[0].rates.connection(client) is None
    refusal = made[1].rates.connection(client)
    assert refusal.code == 421
    assert "mx.example.test" in refusal.text
    assert any("Connection rate limit exceeded: 2 from " in line for line in sink.lines)
    assert made[0].sessions is made[1].sessions
    assert tally().sessions is not made[0].sessions


@pytest.mark.parametrize(
    ("local", "texts", "limit", "rated"),
    [
        (False, {"smtpd_client_connection_count_limit": "5"}, 5, False),
        (False, {"smtpd_client_message_rate_limit": "5"}, 50, True),
        (True, {"smtpd_client_message_rate_limit": "5"}, 0, False),
    ],
)
def test_local_users_have_no_limits(local, texts, limit, rated):
    made = tally(local=local, **texts)
    assert made.connection_limit == limit
    assert (made.rates is not None) is rated


async def test_a_client_with_too_many_sessions_is_told_to_come_later(stand):
    port = await stand.serve(smtpd_client_connection_count_limit="1", name="25")
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    answer = await second.reply()
    assert answer == "421 4.7.0 mx.example.test Error: too many connections from 127.0.0.1"
    assert await second.reply() == "(closed)"
    warning = "warning: Connection concurrency limit exceeded: 2 from unknown[127.0.0.1] for service 25"
    assert f"smtpd: {warning}" in stand.log
    await first.ask("QUIT")
    await until(lambda: not stand.service.sessions)
    third = await Peer.connect(port)
    assert (await third.reply()).startswith("220")
    for peer in (first, second, third):
        await peer.close()
