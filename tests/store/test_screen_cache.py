"""Which clients have passed which tests: shared, cleaned, bounded."""

from __future__ import annotations

import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store import screen_cache
from postroad.store.screen_cache import Cleaned, Cleaning, ScreenCache, open_screen_cache

NOW, DAY = 1_700_000_000, 86400
EARLY = (True, True, False, False, False)
NEVER, DAILY = Cleaning(0, 7 * DAY, EARLY), Cleaning(DAY, 7 * DAY, EARLY)
TIMES = (NOW + DAY, NOW + 60, 1, 1, 1)


@pytest.fixture
def cache(tmp_path):
    made = ScreenCache(tmp_path / "screen.sqlite")
    yield made
    made.close()


async def test_what_is_noted_is_found_by_other_workers(cache, tmp_path):
    other = ScreenCache(tmp_path / "screen.sqlite")
    assert await cache.find("192.0.2.1", NEVER, NOW) == (None, None)
    await cache.note("192.0.2.1", TIMES, NOW)
    assert await other.find("192.0.2.1", NEVER, NOW) == (TIMES, None)
    assert await other.find("192.0.2.2", NEVER, NOW) == (None, None)
    other.close()


async def test_what_another_session_has_passed_stays_passed(cache):
    await cache.note("192.0.2.1", (NOW + 5, 0, NOW + 9, 0, 0), NOW)
    await cache.note("192.0.2.1", (NOW + 4, NOW + 60, 0, 0, 0), NOW)
    assert (await cache.find("192.0.2.1", NEVER, NOW))[0] == (NOW + 5, NOW + 60, NOW + 9, 0, 0)


async def test_who_did_not_come_again_is_forgotten_once_in_a_while(cache):
    await cache.note("192.0.2.1", TIMES, NOW)
    await cache.note("192.0.2.2", (NOW + 9 * DAY, NOW + 9 * DAY, 1, 1, 1), NOW)
    assert await cache.find("192.0.2.1", DAILY, NOW) == (TIMES, Cleaned(2, 0))
    assert await cache.find("192.0.2.1", DAILY, NOW + DAY - 1) == (TIMES, None)
    later = NOW + 8 * DAY
    assert (await cache.find("192.0.2.3", DAILY, later))[1] == Cleaned(1, 1)
    assert await cache.find("192.0.2.1", DAILY, later) == (None, None)
    assert (await cache.find("192.0.2.2", DAILY, later))[0] is not None


async def test_a_clock_that_went_back_stops_no_cleaning(cache):
    await cache.find("192.0.2.1", DAILY, NOW)
    assert (await cache.find("192.0.2.1", DAILY, NOW - 10 * DAY))[1] == Cleaned(0, 0)


async def test_the_oldest_of_too_many_go(cache, monkeypatch):
    monkeypatch.setattr(screen_cache, "LIMIT", 2)
    for last in range(4):
        await cache.note(f"192.0.2.{last}", (NOW + DAY,) * 5, NOW + last)
    assert (await cache.find("192.0.2.0", DAILY, NOW + 4))[1] == Cleaned(2, 2)
    left = [await cache.find(f"192.0.2.{last}", NEVER, NOW) for last in range(4)]
    assert [found[0] is not None for found in left] == [False, False, True, True]


async def test_a_file_that_fails_says_so(tmp_path):
    (tmp_path / "screen.sqlite").write_bytes(b"no database " * 100)
    broken = ScreenCache(tmp_path / "screen.sqlite")
    with pytest.raises(StoreUnavailable):
        await broken.find("192.0.2.1", NEVER, NOW)
    with pytest.raises(StoreUnavailable):
        await broken.note("192.0.2.1", TIMES, NOW)
    broken.close()


async def test_one_in_memory_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = ScreenCache(None)
    await cache.note("192.0.2.1", TIMES, NOW)
    assert (await cache.find("192.0.2.1", NEVER, NOW))[0] == TIMES
    cache.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_process_opens_a_file_once(tmp_path):
    one = open_screen_cache(tmp_path / "a")
    assert open_screen_cache(tmp_path / "a") is one
    await one.note("192.0.2.1", TIMES, NOW)
    one.close()
    assert apsw.Connection(str(tmp_path / "a")).execute("SELECT count(*) FROM client").get == 1
