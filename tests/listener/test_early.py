"""The wait before the greeting: who speaks too early, and whom the lists know."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace

import pytest

from listener.screens import PLACE, World
from postroad.listener.stage import Stage

CONNECT = f"CONNECT from {PLACE} to [203.0.113.1]:25"
TEASER = "220-mx.example teaser"
LISTED = {"9.2.0.192.bl.example": ["127.0.0.2"], "9.2.0.192.good.example": ["127.0.0.3"]}


async def early(world, transport):
    await world.settle(lambda: transport.protocol.stage is Stage.EARLY)


async def test_what_came_too_early_is_smtpds_where_that_is_ignored(tmp_path):
    world = World(tmp_path)
    transport = world.connect()
    await early(world, transport)
    transport.send(b"EHLO early\r\n")
    session = await world.passed()
    assert (session.heard, transport.paused) == (b"EHLO early\r\n", False)
    line = world.log()[1]
    assert re.match(r"PREGREET 12 after \d", line)
    assert line.endswith(f" from {PLACE}: EHLO early\\r\\n")
    again = world.connect()
    await early(world, again)  # it has not passed


async def test_what_came_before_it_was_known_who_the_client_is_came_too_early(tmp_path):
    world = World(tmp_path)
    transport = world.connect()
    assert transport.protocol.stage is Stage.JUDGED
    transport.send(b"x" * 5000)
    assert transport.paused
    session = await world.passed()
    assert session.heard == b"x" * 5000
    assert re.match(r"PREGREET 1023 after \d", world.log()[1])


async def test_who_speaks_too_early_gets_no_further_where_that_is_enforced(tmp_path):
    world = World(tmp_path, greet_action="enforce")
    transport = world.connect()
    await early(world, transport)
    transport.send(b"EHLO early\r\nMAIL FROM:<a@b>\r\n")
    await world.settle(lambda: b"2.1.0 Ok" in transport.written)
    assert transport.take()[:2] == [TEASER, "250-mx.example"]  # there is no second line of the greeting
    transport.send(b"RCPT TO:<c@d>\r\n")
    assert transport.take() == ["550 5.5.1 Protocol error"]
    transport.send(b"QUIT\r\n")
    assert (transport.take(), transport.closed) == (["221 2.0.0 Bye"], True)
    assert world.log()[2:] == [
        f"COMMAND PIPELINING from {PLACE} after EHLO: MAIL FROM:<a@b>\\r\\n",
        f"NOQUEUE: reject: RCPT from {PLACE}: 550 5.5.1 Protocol error; from=<a@b>, to=<c@d>, proto=ESMTP, helo=<early>",
        f"DISCONNECT {PLACE}",
    ]
    assert world.target.sessions == []


async def test_who_speaks_too_early_is_hung_up_on_where_that_is_the_action(tmp_path):
    world = World(tmp_path, greet_action="drop")
    transport = world.connect()
    await early(world, transport)
    transport.send(b"EHLO early\r\n")
    assert transport.take() == [TEASER, "521 5.5.1 Protocol error"]
    assert transport.closed
    transport.lose()
    await world.settle()
    assert world.log()[2:] == [f"DISCONNECT {PLACE}"]
    assert (world.target.sessions, world.service.sessions) == ([], 0)


async def test_without_a_teaser_there_is_no_test(tmp_path):
    world = World(tmp_path, greet_banner="", greet_action="drop")
    world.connect()
    await world.passed()
    assert world.log() == [CONNECT]


async def test_who_the_lists_speak_against_is_told_so(tmp_path):
    world = World(
        tmp_path, records=LISTED, dnsbl_sites="bl.example*2", dnsbl_threshold="2", dnsbl_action="enforce"
    )
    transport = world.connect()
    await world.greeted(transport)
    transport.send(b"MAIL FROM:<a@b>\r\n")
    transport.send(b"RCPT TO:<c@d>\r\n")
    refusal = "550 5.7.1 Service unavailable; client [192.0.2.9] blocked using bl.example"
    assert transport.take()[1:] == [refusal]
    log = world.log()
    assert log[1:3] == [
        "dnsblog: addr 192.0.2.9 listed by domain bl.example as 127.0.0.2",
        f"DNSBL rank 2 for {PLACE}",
    ]


@pytest.mark.parametrize("action", ["drop", "ignore"])
async def test_other_actions_for_who_is_listed(tmp_path, action):
    world = World(
        tmp_path,
        records=LISTED,
        dnsbl_sites="bl.example",
        dnsbl_action=action,
        dnsbl_reply_map="inline:{bl.example=hidden.example}",
    )
    transport = world.connect()
    if action == "ignore":
        await world.passed()
        assert f"PASS NEW {PLACE}" not in world.log()
        return
    await world.settle(lambda: transport.closed)
    blocked = "521 5.7.1 Service unavailable; client [192.0.2.9] blocked using hidden.example"
    assert transport.take() == [TEASER, blocked]
    assert world.target.sessions == []


async def test_the_name_of_a_list_is_kept_back_while_it_is_not_known_what_may_be_told(tmp_path):
    world = World(
        tmp_path,
        records=LISTED,
        dnsbl_sites="bl.example",
        dnsbl_action="drop",
        dnsbl_reply_map="fail:down",
    )
    transport = world.connect()
    await world.settle(lambda: transport.closed)
    blocked = "521 5.7.1 Service unavailable; client [192.0.2.9] blocked using DNSBL"
    assert transport.take() == [TEASER, blocked]


async def test_lists_that_do_not_answer_in_time_have_no_say(tmp_path):
    world = World(tmp_path, records=LISTED, dnsbl_sites="bl.example", dnsbl_action="drop")
    world.resolver.held = asyncio.Event()
    world.connect()
    await world.passed()
    world.resolver.held.set()
    await world.settle()
    assert f"PASS NEW {PLACE}" in world.log()


async def test_who_the_lists_speak_for_need_not_wait(tmp_path):
    world = World(
        tmp_path,
        records=LISTED,
        dnsbl_sites="good.example*-1",
        dnsbl_allowlist_threshold="-1",
        pipelining_enable="yes",
    )
    world.service.calm.greet_wait = 60
    transport = world.connect()
    await world.passed()
    assert transport.take() == [TEASER]
    assert world.log()[-1] == f"PASS NEW {PLACE}"
    world.connect()
    await world.passed(2)


async def test_the_lists_let_nobody_off_who_has_failed(tmp_path):
    world = World(
        tmp_path,
        records=LISTED,
        dnsbl_sites="good.example*-1",
        dnsbl_allowlist_threshold="-1",
        greet_action="enforce",
    )
    transport = world.connect()
    transport.send(b"EHLO x\r\n")
    await world.settle(lambda: b"250 " in transport.written)
    assert world.target.sessions == []


async def test_the_tests_are_let_go_of_when_they_are_over(tmp_path):
    world = World(tmp_path, pipelining_enable="yes")
    late, gone = world.connect(), world.connect()
    await early(world, gone)
    gone.lose()
    await world.greeted(late)
    assert late.protocol._tests is gone.protocol._tests is None


@pytest.mark.parametrize("gone", [False, True])
async def test_a_defect_in_the_name_of_a_list_lets_nobody_through(tmp_path, monkeypatch, gone):
    world = World(tmp_path, records=LISTED, dnsbl_sites="bl.example", dnsbl_action="drop")
    asked, answer = asyncio.Event(), asyncio.Event()

    async def name_of(domain):
        asked.set()
        await answer.wait()
        raise RuntimeError(domain)

    held = world.service.told
    told = SimpleNamespace(teaser=held.teaser, footed=held.footed, name_of=name_of)
    monkeypatch.setattr(world.service, "told", told)
    transport = world.connect()
    await world.settle(asked.is_set)
    if gone:
        transport.lose()
        answer.set()
        await world.settle()
        assert transport.take() == [TEASER]
        return
    answer.set()
    await world.settle(lambda: transport.closed)
    assert transport.take()[1].startswith(
        "521 5.7.1 Service unavailable; client [192.0.2.9] blocked using DNSBL"
    )
    assert f"error: {PLACE}: RuntimeError('bl.example')" in world.log()
