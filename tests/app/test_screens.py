"""Postscreen services: to whom their clients go, TLS, footers, and what check says."""

from __future__ import annotations

import pytest

from app.texts import config_of
from peers.certificates import self_signed
from peers.tlsends import pem
from postroad.app.build import build
from postroad.app.certificates import Collector
from postroad.app.keyring import Keyring
from postroad.app.screens import check, screens, session_settings
from postroad.base.errors import ConfigurationError, Severity
from postroad.model.reply import Reply
from postroad.smtpd.params import PROXY_PROTOCOL

MASTER = "2525 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n"


class Client:
    address, port = "192.0.2.9", 4000


def made(core, tmp_path, main="", master=MASTER):
    stages = build(config_of(f"data_directory = {tmp_path}\n{main}", master, port=2526), core)
    return stages, stages.screens["2525/inet"]


async def test_clients_go_to_the_pass_service(core, tmp_path):
    stages, screen = made(core, tmp_path)
    assert screen.target is stages.services["smtpd/pass"]
    assert list(stages.services) == ["2526/inet", "smtpd/pass"]


async def test_without_such_a_service_nothing_is_built(core, tmp_path):
    with pytest.raises(ConfigurationError, match="master.cf has no smtpd there"):
        made(core, tmp_path, "smtpd_service_name = other\n")


async def test_the_footer_is_smtpds_unless_postscreen_has_its_own(core, tmp_path):
    refusal = Reply(550, "5.5.1", "no")
    smtpd = "smtpd_reject_footer = \\c see $server_name\n"
    _, screen = made(core, tmp_path, smtpd)
    assert screen.told.footed(refusal, Client.address, Client.port).text == "no see mx.example.test"
    _, screen = made(core, tmp_path, smtpd + "postscreen_reject_footer = \\c, $client_address\n")
    assert screen.told.footed(refusal, Client.address, Client.port).text == "no, 192.0.2.9"
    _, screen = made(core, tmp_path, smtpd + "postscreen_reject_footer =\n")
    assert screen.told.footed(refusal, Client.address, Client.port) == refusal
    assert screen.told.footed(Reply(250, "", "yes"), Client.address, Client.port).text == "yes"


async def test_footers_may_depend_on_the_reply_and_names_bring_in_what_the_filter_allows(core, tmp_path):
    refusal = Reply(550, "5.5.1", "no")
    smtpd = "smtpd_reject_footer_maps = inline:{{550 5.5.1 no=\\c for $$client_address}}\n"
    _, screen = made(core, tmp_path, smtpd)
    assert screen.told.footed(refusal, Client.address, Client.port).text == "no for 192.0.2.9"
    assert screen.told.footed(Reply(550, "5.5.1", "yes"), Client.address, Client.port).text == "yes"
    _, screen = made(core, tmp_path, smtpd + "smtpd_expansion_filter = 0123456789\n")
    assert screen.told.footed(refusal, Client.address, Client.port).text == "no for 192_0_2_9"
    _, screen = made(core, tmp_path, smtpd + "postscreen_expansion_filter = .\n")
    assert screen.told.footed(refusal, Client.address, Client.port).text == "no for ___._._._"
    _, screen = made(core, tmp_path, smtpd + "postscreen_reject_footer_maps =\n")
    assert screen.told.footed(refusal, Client.address, Client.port) == refusal


async def test_tls_of_postscreen_alone_has_its_certificate(core, tmp_path):
    (tmp_path / "mx.pem").write_bytes(pem(self_signed("mx.example.test")))
    main = f"postscreen_tls_security_level = may\nsmtpd_tls_chain_files = {tmp_path}/mx.pem\n"
    config = config_of(f"data_directory = {tmp_path}\n{main}", MASTER, port=2526)
    core.keyring = Keyring(Collector(config).collect().certificates)
    stages = build(config, core)
    assert stages.screens["2525/inet"].options.starttls
    assert stages.services["smtpd/pass"].tls is None


async def test_without_a_certificate_tls_is_not_offered(core, tmp_path):
    _, screen = made(core, tmp_path, "postscreen_tls_security_level = encrypt\n")
    assert not screen.options.starttls
    assert screen.options.tls_required


def test_a_client_that_has_passed_has_no_second_proxy():
    config = config_of("smtpd_upstream_proxy_protocol = haproxy\n", MASTER)
    inet, passed = config.service("smtpd", "pass"), config.smtp_servers[0]
    assert session_settings(inet, config)[PROXY_PROTOCOL] == ""
    assert session_settings(passed, config)[PROXY_PROTOCOL] == "haproxy"


def test_what_check_says():
    assert check(config_of("", MASTER)) == []
    assert [each.name for each in screens(config_of("", MASTER))] == ["2525"]
    [problem] = check(config_of("", "2525 inet n - n - 1 postscreen\n"))
    assert (problem.severity, problem.where) == (Severity.ERROR, "master.cf:4")
    assert problem.hint == "add the line: smtpd pass - - n - - smtpd"


def test_a_table_that_cannot_be_read_is_a_warning(tmp_path):
    line = f"postscreen_access_list = cidr:{tmp_path}/none\npostscreen_dnsbl_reply_map = texthash:{tmp_path}/none\n"
    found = check(config_of(line, MASTER))
    assert [(each.severity, each.where) for each in found] == [
        (Severity.WARNING, "main.cf:9"),
        (Severity.WARNING, "main.cf:10"),
    ]


def test_tables_that_have_to_answer_at_once(tmp_path):
    names = ("postscreen_reject_footer_maps", "postscreen_command_filter")
    found = check(config_of("".join(f"{name} = texthash:{tmp_path}/none\n" for name in names), MASTER))
    assert [(each.severity, each.where) for each in found] == [
        (Severity.WARNING, "main.cf:9"),
        (Severity.WARNING, "main.cf:10"),
    ]


async def test_under_stress_the_settings_are_those_of_stress(core, tmp_path):
    _, screen = made(core, tmp_path, "postscreen_greet_wait = ${stress?{3}:{7}}s\n")
    assert (screen.calm.greet_wait, screen.strained.greet_wait) == (7, 3)
    master = MASTER.replace("screen\n", "screen -o stress=\n")
    _, screen = made(core, tmp_path, master=master)
    assert (screen.calm.greet_wait, screen.strained.greet_wait) == (6, 6)


async def test_who_waits_for_a_session_is_counted_over_all_workers(core, tmp_path, monkeypatch):
    numbers, sessions = [], core.counts.sessions
    monkeypatch.setattr(core.counts, "sessions", lambda number: numbers.append(number) or sessions(number))
    _, screen = made(core, tmp_path)
    assert len(set(numbers)) == 4  # the sessions of each of three services, and those who wait for one
    assert screen.target.waiting == 0
    monkeypatch.setattr(core.counts, "_row", core.counts._rows[1])
    sessions(max(numbers)).change(3)  # as the other worker does it
    assert screen.target.waiting == 3


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("postscreen_reject_footer_maps = unionmap:{static:x}", "answer from memory"),
        ("postscreen_command_filter = unionmap:{static:x}", "answer from memory"),
        ("postscreen_dnsbl_sites = good.test, x.test*many", "weight factor"),
        ("postscreen_access_list = permit_mynetwork", "unknown command"),
        ("postscreen_discard_ehlo_keywords = xyz", "unknown EHLO keyword"),
    ],
)
def test_settings_that_cannot_be_used_are_errors_at_their_line(line, says):
    [problem] = check(config_of(line + "\n", MASTER))
    assert (problem.severity, problem.where) == (Severity.ERROR, "main.cf:9")
    assert says in problem.message
