"""What is kept of clients."""

from __future__ import annotations

from listener.screens import PLACE, World
from postroad.base.errors import StoreUnavailable


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


async def test_what_was_passed_is_found_by_its_address_alone(tmp_path):
    kept = World(tmp_path).service.kept
    assert await kept.find("192.0.2.9") is None
    world = World(tmp_path)
    world.connect()
    await world.passed()
    found = await kept.find("192.0.2.9")
    assert found is not None
    assert await kept.find("192.0.2.10") is None


async def test_what_cannot_be_looked_up_is_tested_again(tmp_path, monkeypatch):
    world = World(tmp_path)

    async def broken(*_):
        raise StoreUnavailable("disk I/O error")

    monkeypatch.setattr(world.service.kept._cache, "find", broken)
    monkeypatch.setattr(world.service.kept._cache, "note", broken)
    for number in (1, 2):
        world.connect()
        await world.passed(number)
        log = world.log()
        assert log.count("warning: postscreen_cache_map: disk I/O error") == 2  # read, and written
        assert f"PASS NEW {PLACE}" in log
