"""What the clients of a service share: limits, memory, the end."""

from __future__ import annotations

import pytest

from listener.screens import World
from postroad.app.registry import registry
from postroad.base.params import settings_of
from postroad.listener import params as p
from postroad.proto.screening import Test


async def test_times_of_the_tests(tmp_path):
    world = World(tmp_path, pipelining_enable="yes", pipelining_ttl="2d", greet_ttl="1h")
    now = world.service.now()
    assert world.service.until(Test.PIPELINING) - now in (2 * 86400, 2 * 86400 + 1)
    assert world.service.until(Test.NONE) - now in (3600, 3601)


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


async def test_while_it_is_not_known_where_clients_may_pass_they_pass_nowhere(tmp_path):
    world = World(tmp_path, allowlist_interfaces=f"{tmp_path}/none")
    assert not await world.service.may_pass_at("203.0.113.1")
    assert "warning: postscreen_allowlist_interfaces: " in world.log()[0]
    assert await World(tmp_path).service.may_pass_at("203.0.113.1")
