"""The stages of one configuration: what each worker gets of the server's limits, and what a reload keeps."""

import asyncio
import socket

import pytest

from app.texts import config_of
from peers.harness import free_port
from postroad.app.build import build
from postroad.base.config import load_texts
from postroad.base.errors import ConfigurationError
from postroad.delivery.smtp.agent import SmtpAgent


async def test_each_service_and_each_transport_is_built(core):
    port = free_port()
    stages = build(config_of(port=port), core)
    assert list(stages.services) == [f"{port}/inet"]
    assert set(stages.transports) == {"smtp", "error", "retry", "discard"}
    assert isinstance(stages.transports["smtp"].agent, SmtpAgent)
    assert core.transports == stages.transports


async def test_a_worker_has_its_part_of_the_limits_at_the_start_and_after_a_reload(core):
    for _ in range(2):
        stages = build(config_of("default_destination_concurrency_limit = 20\n"), core)
        smtp = stages.transports["smtp"]
        assert smtp.process_limit == 5  # maxproc 10, two workers
        assert smtp.law.limit == 10


async def test_a_reload_keeps_the_lanes_and_gives_them_new_agents(core):
    before = build(config_of(), core)
    lanes, agent = before.transports["smtp"], before.transports["smtp"].agent
    after = build(config_of(), core)
    assert after.transports["smtp"] is lanes
    assert lanes.agent is not agent


async def test_what_cannot_be_built_changes_nothing(core, monkeypatch):
    before = build(config_of(), core)
    agent, transports = before.transports["smtp"].agent, core.transports

    def broken(*_args, **_rest):
        raise ValueError("such settings cannot be used")

    monkeypatch.setattr("postroad.app.build.SmtpdService", broken)
    with pytest.raises(ConfigurationError, match="such settings"):
        build(config_of("smtp_destination_concurrency_limit = 1\n"), core)
    assert before.transports["smtp"].agent is agent
    assert before.transports["smtp"].law.limit == 10
    assert core.transports is transports


def listening():
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


async def test_doors_open_and_close_and_sessions_outlive_the_listeners(core, tmp_path):
    port = free_port()
    stages = build(config_of(port=port), core)
    sock = listening()
    address = sock.getsockname()
    with socket.socket(socket.AF_UNIX) as submit:
        submit.bind(str(tmp_path / "submit"))
        submit.listen()
        other = listening()
        await stages.listen([(f"{port}/inet", sock), ("nosuch/inet", other)], submit)
        assert other.fileno() < 0  # nobody would serve it
        reader, writer = await asyncio.open_connection(*address)
        assert (await reader.readline()).startswith(b"220 ")
        assert stages.sessions == 1
        await stages.stop_listening()
        assert sock.fileno() < 0
        assert submit.fileno() >= 0
        writer.write(b"NOOP\r\n")
        assert (await reader.readline()).startswith(b"250 ")
        await stages.drain_sessions(2)
        assert (await reader.readline()).startswith(b"421 ")
        assert stages.sessions == 0
        writer.close()
    await stages.close_agents()


async def test_a_service_with_override_options_of_its_own_has_an_intake_of_its_own(core):
    one, two = free_port(), free_port()
    config = config_of(port=one)
    override = "-o receive_override_options=no_address_mappings"
    master = f"{config.texts[1]}127.0.0.1:{two} inet n - n - - smtpd {override}\n"
    stages = build(load_texts(config.texts[0], master, config.directory, config.registry, config.facts), core)
    intakes = {service.intake for service in stages.services.values()}
    assert len(stages.services) == 2
    assert len(intakes) == 2
