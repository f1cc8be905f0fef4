"""What is known of a client before it is tested."""

from __future__ import annotations

import pytest

from listener.screens import PLACE, World


@pytest.mark.parametrize(("respectful", "word"), [("yes", "ALLOWLISTED"), ("no", "WHITELISTED")])
async def test_who_is_let_through_is_not_tested(tmp_path, respectful, word):
    world = World(tmp_path, access_list="permit", others={"respectful_logging": respectful})
    transport = world.connect()
    assert len(world.target.sessions) == 1
    assert transport.written == b""
    assert world.log()[1:] == [f"{word} {PLACE}"]


@pytest.mark.parametrize(("respectful", "word"), [("yes", "DENYLISTED"), ("no", "BLACKLISTED")])
async def test_who_is_denied_is_hung_up_on(tmp_path, respectful, word):
    others = {"respectful_logging": respectful, "postscreen_blacklist_action": "drop"}
    world = World(tmp_path, access_list="reject", others=others)
    transport = world.connect()
    assert (transport.take(), transport.closed) == (["521 5.3.2 Service currently unavailable"], True)
    assert world.log()[1:] == [f"{word} {PLACE}", f"DISCONNECT {PLACE}"]
    assert world.target.sessions == []


async def test_who_is_denied_cannot_send_mail_and_never_passes(tmp_path):
    world = World(tmp_path, access_list="reject", denylist_action="enforce", pipelining_enable="yes")
    for _ in range(2):
        transport = world.connect()
        await world.greeted(transport)
        for line in (b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"):
            transport.send(line)
        assert transport.take()[1:] == ["550 5.3.2 Service currently unavailable"]
        transport.send(b"QUIT\r\n")
    assert not any("PASS" in line for line in world.log())


async def test_who_is_denied_where_that_is_ignored_is_tested(tmp_path):
    world = World(tmp_path, access_list="reject")
    world.connect()
    await world.passed()
    assert world.log()[1:] == [f"DENYLISTED {PLACE}", f"PASS NEW {PLACE}"]


async def test_nobody_can_pass_at_a_second_address_who_has_not_passed_at_the_first(tmp_path):
    world = World(tmp_path, allowlist_interfaces="!203.0.113.2, static:all")
    second = ("203.0.113.2", 25)
    transport = world.connect(own=second)
    await world.greeted(transport)
    for line in (b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n"):
        transport.send(line)
    assert transport.take()[1:] == ["450 4.3.2 Service currently unavailable"]
    transport.send(b"QUIT\r\n")
    log = world.log()
    assert log[1] == f"ALLOWLIST VETO {PLACE}"
    assert not any("PASS" in line for line in log)
    world.connect()
    await world.passed()
    world.connect(own=second)
    await world.passed(2)
    assert world.log()[-1] == f"PASS OLD {PLACE}"


async def test_a_table_of_own_addresses_that_fails_lets_nobody_pass(tmp_path):
    world = World(tmp_path, allowlist_interfaces="fail:down")
    transport = world.connect()
    await world.greeted(transport)
    assert any("VETO" in line for line in world.log())


async def test_a_cache_that_fails_means_one_more_test(tmp_path):
    (tmp_path / "cache.sqlite").write_bytes(b"no database " * 100)
    world = World(tmp_path)
    world.connect()
    await world.passed()
    await world.settle(lambda: sum("postscreen_cache_map" in line for line in world.sink.lines) >= 2)
    lines = world.log()
    assert lines[1].startswith("warning: postscreen_cache_map: ")
    assert lines[2] == f"PASS NEW {PLACE}"
    assert lines[3].startswith("warning: postscreen_cache_map: ")
