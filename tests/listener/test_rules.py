"""What the settings say of the tests."""

from __future__ import annotations

import pytest

from postroad.app.registry import registry
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.listener.commands import Commands
from postroad.listener.rules import Rules, Times, options_of
from postroad.proto.screening import Action, Test
from postroad.tables.context import TableContext


def settings(**texts):
    names = {f"postscreen_{name}": text for name, text in texts.items()}
    return settings_of(registry().groups, myhostname="mx.example", compatibility_level="3.6", **names)


def test_the_settings_of_stress_are_read():
    made = settings_of(registry().groups, stress="yes", myhostname="mx.example")
    times = Times(made)
    assert (times.greet_wait, times.command_time) == (2, 10)


@pytest.mark.parametrize(
    ("rank", "allow", "threshold", "speaks"),
    [(-1, -1, 1, True), (0, -1, 1, False), (-2, 0, 1, False)],
)
def test_a_rank_that_speaks_for_a_client(rank, allow, threshold, speaks):
    made = settings(dnsbl_allowlist_threshold=str(allow), dnsbl_threshold=str(threshold))
    assert Rules(made, lists=True).speaks_for(rank) is speaks


def test_a_rank_that_is_refused_speaks_for_nobody():
    rules = Rules(settings(dnsbl_allowlist_threshold="-1"), lists=True)
    rules.threshold = -9
    assert not rules.speaks_for(-5)


@pytest.mark.parametrize(
    ("texts", "lists", "enabled"),
    [
        ({"greet_banner": ""}, False, Test.NONE),
        ({"greet_banner": "x"}, True, Test.PREGREET | Test.DNSBL),
        (
            {"greet_banner": "", "pipelining_enable": "yes", "bare_newline_enable": "yes"},
            False,
            Test.PIPELINING | Test.BARE_NEWLINE,
        ),
        ({"greet_banner": "", "non_smtp_command_enable": "yes"}, False, Test.NON_SMTP),
    ],
)
def test_a_test_is_made_where_there_is_something_to_test_with(texts, lists, enabled):
    assert Rules(settings(**texts), lists=lists).terms.enabled == enabled


def test_each_test_counts_for_its_own_time():
    rules = Rules(settings(greet_ttl="1h", pipelining_ttl="2d", bare_newline_ttl="3d"), lists=False)
    assert rules.life(Test.PREGREET) == rules.life(Test.NONE) == 3600
    assert (rules.life(Test.PIPELINING), rules.life(Test.BARE_NEWLINE)) == (2 * 86400, 3 * 86400)


@pytest.mark.parametrize(("text", "action"), [("ignore", Action.IGNORE), ("drop", Action.DROP)])
def test_actions_are_those_of_the_settings(text, action):
    made = settings(greet_action=text, dnsbl_action=text, denylist_action=text.replace("ignore", "continue"))
    rules = Rules(made, lists=True)
    assert rules.greet_action is rules.dnsbl_action is rules.deny_action is action


@pytest.mark.parametrize(
    ("level", "certificates", "offered", "required"),
    [
        ("", True, False, False),
        ("may", True, True, False),
        ("may", False, False, False),
        ("encrypt", True, True, True),
    ],
)
def test_tls_is_offered_where_there_are_certificates(level, certificates, offered, required):
    made = settings(tls_security_level=level, command_filter="static:QUIT")
    commands = Commands(made, TableContext(), Log(ListSink()))
    options = options_of(made, commands, tls=certificates)
    assert (options.starttls, options.tls_required) == (offered, required)
    assert (options.hostname, options.filtered) == ("mx.example", True)
