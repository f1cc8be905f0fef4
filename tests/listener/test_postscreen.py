"""What the clients of a service share: limits, memory, the end."""

from __future__ import annotations

import pytest

from listener.screens import PLACE, World
from postroad.app.registry import registry
from postroad.base.params import settings_of
from postroad.listener import params as p
from postroad.listener.postscreen import Times
from postroad.model.reply import Reply
from postroad.proto.screening import Test

BUSY = "NOQUEUE: reject: CONNECT from [192.0.2.9]:4000: "


class Taken:
    def __init__(self, elsewhere):
        self.here, self._elsewhere = 0, elsewhere

    def change(self, by):
        self.here += by

    def elsewhere(self):
        return self._elsewhere


async def test_a_client_has_a_number_of_connections_and_gets_them_back(tmp_path):
    world = World(tmp_path, client_connection_count_limit="2")
    first, second = world.connect(), world.connect()
    third, other = world.connect(), world.connect(("192.0.2.10", 4000))
    assert (third.take(), third.closed) == (["421 4.7.0 Error: too many connections"], True)
    assert not other.closed
    assert f"{BUSY}too many connections" in world.log()
    for each in (first, second, third):
        each.lose()
    assert not world.connect().closed


async def test_one_who_has_passed_is_under_test_no_more(tmp_path):
    world = World(tmp_path, client_connection_count_limit="1")
    world.connect()
    await world.passed()
    assert not world.connect().closed


async def test_so_many_clients_are_tested_at_a_time_in_all_workers(tmp_path):
    taken = Taken(8)
    world = World(tmp_path, pre_queue_limit="10", taken=taken)
    first, second = world.connect(), world.connect()
    await world.settle(lambda: second.closed)
    assert second.take() == ["421 4.3.2 All screening ports are busy"]
    assert not first.closed
    assert f"reject: connect from {PLACE}: all screening ports busy" in world.log()
    second.lose()
    await world.passed()
    assert taken.here == 0


async def test_under_stress_the_tests_are_short(tmp_path):
    world = World(
        tmp_path,
        pre_queue_limit="20",
        pipelining_enable="yes",
        command_time_limit="${stress?{10}:{300}}s",
        strained={"stress": "yes"},
    )
    world.service.calm.greet_wait = 60
    assert world.service.command_time == 300
    clients = [world.connect(("192.0.2.9", port)) for port in range(18)]
    await world.settle(lambda: world.service.command_time == 10)
    assert "entering STRESS mode with 18 connections" in world.log()
    await world.greeted(clients[17])
    assert not any(b"\r\n220 " in each.written for each in clients[:17])
    for each in clients[:4]:
        each.lose()
    assert "leaving STRESS mode with 14 connections" in world.log()
    assert world.service.command_time == 300


def test_the_settings_of_stress_are_read():
    made = settings_of(registry().groups, stress="yes", myhostname="mx.example")
    times = Times(made)
    assert (times.greet_wait, times.command_time) == (2, 10)


async def test_however_low_the_limit_one_client_is_tested(tmp_path):
    world = World(tmp_path, pre_queue_limit="1")
    world.connect()
    await world.passed()


async def test_those_who_need_no_test_pass_while_the_others_wait(tmp_path):
    world = World(tmp_path, pre_queue_limit="10", taken=Taken(100), access_list="permit")
    world.connect()
    await world.passed()


async def test_while_too_many_wait_for_a_session_nobody_comes_in(tmp_path):
    world = World(tmp_path, post_queue_limit="10", access_list="permit")
    world.target.waiting = 10
    transport = world.connect()
    assert transport.take() == ["421 4.3.2 All server ports are busy"]
    assert f"{BUSY}all server ports busy" in world.log()


async def test_without_a_cache_everybody_is_new(tmp_path):
    world = World(tmp_path, cache_map="")
    for number in (1, 2):
        world.connect()
        await world.passed(number)
        assert world.log()[1:] == [f"PASS NEW {PLACE}"]
    assert list(tmp_path.iterdir()) == []


async def test_a_cleaning_is_logged(tmp_path):
    world = World(tmp_path)
    world.connect()
    await world.passed()
    assert (
        f"postscreen: cache btree:{tmp_path}/cache full cleanup: retained=0 dropped=0 entries"
        in world.sink.lines
    )


@pytest.mark.parametrize(
    ("rank", "allow", "threshold", "speaks"),
    [(-1, -1, 1, True), (0, -1, 1, False), (-2, 0, 1, False), (-5, -1, -9, False)],
)
async def test_a_rank_that_speaks_for_a_client(tmp_path, rank, allow, threshold, speaks):
    world = World(tmp_path, dnsbl_allowlist_threshold=str(allow))
    world.service.threshold = threshold
    assert world.service.speaks_for(rank) is speaks


async def test_times_of_the_tests(tmp_path):
    world = World(tmp_path, pipelining_enable="yes", pipelining_ttl="2d", greet_ttl="1h")
    now = world.service.now()
    assert world.service.until(Test.PIPELINING) - now in (2 * 86400, 2 * 86400 + 1)
    assert world.service.until(Test.NONE) - now in (3600, 3601)


async def test_forbidden_words_in_a_table_that_fails_are_passed_over(tmp_path):
    world = World(tmp_path, forbidden_commands="GET fail:down")
    assert world.service.options.is_forbidden("get")
    assert not world.service.options.is_forbidden("PUT")


async def test_soft_bounces(tmp_path):
    world = World(tmp_path, others={"soft_bounce": "yes"})
    screening = world.connect().protocol
    assert world.service.footed(Reply(550, "5.5.1", "x"), screening).line() == "450 4.5.1 x"
    assert world.service.footed(Reply(500, "", "x"), screening).line() == "400 x"


async def test_a_stop_ends_every_test_and_lets_nobody_in(tmp_path):
    world = World(tmp_path, pipelining_enable="yes")
    talking = world.connect()
    await world.greeted(talking)
    waiting = world.connect()
    world.service.drain()
    farewell = "421 4.3.2 Service currently unavailable"
    assert (talking.take(), waiting.take()) == ([farewell], [farewell])
    late = world.connect()
    assert (late.take(), late.closed) == ([farewell], True)
    for each in (talking, waiting, late):
        each.lose()
    assert world.service.sessions == 0


async def test_the_target_hears_of_the_end_after_the_last_client(tmp_path):
    world, ended = World(tmp_path), []
    world.connect()
    world.service.retire(lambda: ended.append(len(world.target.sessions)))
    assert ended == []
    await world.passed()
    assert ended == [1]
    World(tmp_path).service.retire(lambda: ended.append(0))
    assert ended == [1, 0]


@pytest.mark.parametrize(
    "texts",
    [
        {"dnsbl_sites": "x.test=127"},
        {"discard_ehlo_keywords": "nonsense"},
        {"access_list": "nonsense"},
        {"dnsbl_reply_map": "nonsense:x"},
        {"command_filter": "unionmap:{static:x}"},
    ],
)
async def test_settings_that_cannot_be_used_are_an_error(tmp_path, texts):
    with pytest.raises(ValueError, match=r"\w"):
        World(tmp_path, **texts)


async def test_a_name_without_a_reply_map_is_told_as_it_is(tmp_path):
    assert await World(tmp_path).service.told_name("bl.test") == "bl.test"
    hidden = World(tmp_path, dnsbl_reply_map="inline:{bl.test=other.test}").service
    assert await hidden.told_name("bl.test") == "other.test"
    assert await hidden.told_name("x.test") == "x.test"


def test_old_names_and_old_words():
    settings = settings_of(
        registry().groups,
        compatibility_level="3.6",
        postscreen_blacklist_action="continue",
        postscreen_whitelist_interfaces="127.0.0.1",
        postscreen_dnsbl_whitelist_threshold="-4",
        postscreen_dnsbl_ttl="2",
        stress="yes",
    )
    assert settings[p.DENYLIST_ACTION] == "continue"
    assert settings[p.ALLOWLIST_INTERFACES] == ("127.0.0.1",)
    assert settings[p.DNSBL_ALLOW_THRESHOLD] == -4
    assert settings[p.DNSBL_MAX_TTL] == 7200
    assert (settings[p.GREET_WAIT], settings[p.COMMAND_TIME]) == (2, 10)
    assert settings[p.RESPECTFUL_LOGGING]
