"""The stages of one configuration: what each worker gets of the server's limits, and what a reload keeps."""

import asyncio
import socket
import ssl

import pytest

from app.texts import config_of
from peers.certificates import self_signed
from peers.harness import free_port
from postroad.app.build import build
from postroad.app.certificates import Certificates
from postroad.base.config import load_texts
from postroad.base.errors import ConfigurationError
from postroad.delivery.smtp.agent import SmtpAgent
from postroad.smtpd.settings import TlsLevel
from postroad.store.refusals import RefusalFile


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


CERTIFICATE = "smtpd_tls_cert_file = /cert\nsmtpd_tls_key_file = /key\n"


def certified(core, name="mx.example.test"):
    """Give the worker a certificate; return it."""
    pair = self_signed(name)
    core.keyring.replace(Certificates({"/cert": pair.certificate_pem, "/key": pair.key_pem}))
    return pair


def services(main, options, core):
    """Return the services of a configuration with one further service."""
    port = free_port()
    stages = build(config_of(CERTIFICATE + main, f"127.0.0.1:{port} inet n - n - - smtpd {options}\n"), core)
    return [*stages.services.values()]


async def test_each_service_has_tls_and_users_as_its_settings_say(core):
    certified(core)
    options = "-o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot"
    first, second = services("smtpd_tls_security_level = may\n", options, core)
    assert (first.security.level, second.security.level) == (TlsLevel.MAY, TlsLevel.WRAPPER)
    assert first.tls.ready
    assert second.tls.ready
    assert first.tls is not second.tls
    assert first.authenticator is None
    assert second.authenticator is not None
    first.retire()
    second.retire()


async def test_without_tls_no_certificate_is_looked_at(core):
    first, second = services("", "", core)
    assert first.tls is second.tls is None


async def test_a_certificate_that_cannot_be_used_is_named_with_the_service(core):
    with pytest.raises(ConfigurationError, match="/cert"):
        services("smtpd_tls_security_level = may\n", "", core)


async def test_events_are_counted_for_all_services_and_workers_in_the_unit_of_main_cf(core, monkeypatch):
    steady = [0.0]
    monkeypatch.setattr(core.clock, "steady", lambda: steady[0], raising=False)
    first, second = services("anvil_rate_time_unit = 10s\n", "-o anvil_rate_time_unit=1s", core)
    assert first.tally.auths.add("x") == 1
    steady[0] = 9.0
    assert second.tally.auths.add("x") == 2
    assert second.tally.new_tls.count("x") == 0
    steady[0] = 10.0
    assert first.tally.auths.count("x") == 0


async def test_sessions_that_run_outlive_another_certificate_and_a_reload(core, tmp_path):
    certified(core)
    port = free_port()
    config = config_of(CERTIFICATE + "smtpd_tls_wrappermode = yes\n", port=port)
    stages, sock = build(config, core), listening()
    address = sock.getsockname()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as submit:
        submit.bind(str(tmp_path / "submit"))
        submit.listen()
        await stages.listen([(f"{port}/inet", sock)], submit)
        reader, writer = await asyncio.open_connection(*address, ssl=context)
        assert (await reader.readline()).startswith(b"220 ")
        other = certified(core, "other.example.test")
        new_reader, new_writer = await asyncio.open_connection(*address, ssl=context)
        assert (await new_reader.readline()).startswith(b"220 ")
        assert new_writer.get_extra_info("ssl_object").getpeercert(binary_form=True) == other.der
        build(config, core)
        await stages.stop_listening()
        await stages.retire()
        writer.write(b"NOOP\r\n")
        assert (await reader.readline()).startswith(b"250 ")
        await stages.drain_sessions(2)
        assert (await reader.readline()).startswith(b"421 ")
        for each in (writer, new_writer):
            each.close()
    await stages.close_agents()


async def test_refusals_are_kept_as_the_settings_say_after_a_reload_too(core, tmp_path):
    (without,) = build(config_of(), core).services.values()
    assert without.note_refusal is None
    core.refusals = RefusalFile(tmp_path / "refusals-0.jsonl", 1)
    (kept,) = build(config_of("refusal_record_size = 2m\n"), core).services.values()
    assert kept.note_refusal == core.refusals.note
    assert core.refusals.size == 2 << 20
    (none,) = build(config_of("refusal_record_size = 0\n"), core).services.values()
    assert none.note_refusal is None
