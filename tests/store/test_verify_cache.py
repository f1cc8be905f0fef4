"""What is known of addresses, and who has to probe."""

from __future__ import annotations

import pytest

from postroad.model.verification import IN_PROGRESS, Deliverability, Verification
from postroad.store import verify_cache
from postroad.store.verify_cache import Lifetimes, VerifyCache, open_verify_cache

HOUR, DAY, START = 3600, 86400, 1_700_000_000
LIVES = Lifetimes(31 * DAY, 7 * DAY, 3 * DAY, 3 * HOUR, 12 * HOUR, True)
GOOD = Verification(Deliverability.GOOD, "250 2.1.5 Ok")
BAD = Verification(Deliverability.BAD, "550 5.1.1 no")
UNKNOWN = Verification(Deliverability.UNKNOWN, "450 4.2.1 later")


@pytest.fixture
def cache(tmp_path):
    made = VerifyCache(tmp_path / "verify.sqlite")
    yield made
    made.close()


async def look(cache, now, address="a@x.test", lives=LIVES, may_probe=True):
    return await cache.look(address, lives, now, may_probe=may_probe)


async def test_one_is_told_to_probe_and_the_others_to_wait(cache, tmp_path):
    other = VerifyCache(tmp_path / "verify.sqlite")
    assert await look(cache, START) == (IN_PROGRESS, True)
    assert await look(other, START + 1) == (IN_PROGRESS, False)
    await cache.note("a@x.test", GOOD, LIVES, START + 2)
    assert await look(other, START + 3) == (GOOD, False)
    other.close()


async def test_a_probe_without_a_result_is_sent_again(cache):
    await look(cache, START)
    assert await look(cache, START + 1000) == (IN_PROGRESS, False)
    assert await look(cache, START + 1001) == (IN_PROGRESS, True)


async def test_who_may_not_probe_leaves_no_trace(cache):
    assert await look(cache, START, may_probe=False) == (None, False)
    assert await look(cache, START) == (IN_PROGRESS, True)
    assert await look(cache, START + 9000, may_probe=False) == (IN_PROGRESS, False)


@pytest.mark.parametrize(
    ("found", "refresh", "expire"),
    [(GOOD, 7 * DAY, 31 * DAY), (BAD, 3 * HOUR, 3 * DAY), (UNKNOWN, 3 * HOUR, 3 * DAY)],
)
async def test_a_result_is_refreshed_and_ends(cache, found, refresh, expire):
    await cache.note("a@x.test", found, LIVES, START)
    assert await look(cache, START + refresh) == (found, False)
    assert await look(cache, START + refresh + 1) == (found, True)
    assert await look(cache, START + refresh + 2) == (found, False)
    assert await look(cache, START + expire + 1) == (IN_PROGRESS, True)


async def test_a_failure_does_not_make_a_good_address_bad_before_its_time(cache):
    await cache.note("a@x.test", GOOD, LIVES, START)
    await cache.note("a@x.test", BAD, LIVES, START + 8 * DAY)
    assert (await look(cache, START + 8 * DAY + 1))[0] == GOOD
    await cache.note("a@x.test", BAD, LIVES, START + 32 * DAY)
    assert (await look(cache, START + 32 * DAY))[0] == BAD
    await cache.note("a@x.test", GOOD, LIVES, START + 32 * DAY)
    assert (await look(cache, START + 32 * DAY))[0] == GOOD


async def test_failures_may_be_left_out(cache):
    lives = LIVES._replace(keep_bad=False)
    assert await look(cache, START, lives=lives) == (IN_PROGRESS, True)
    await cache.note("a@x.test", BAD, lives, START)
    assert await look(cache, START, lives=lives) == (IN_PROGRESS, True)
    await cache.note("a@x.test", GOOD, lives, START)
    await cache.note("a@x.test", BAD, lives, START)
    assert await look(cache, START, lives=lives) == (GOOD, False)


async def test_domains_have_no_case_and_octets_that_are_no_text_are_kept_apart(cache):
    await cache.note("A@X.test", GOOD, LIVES, START)
    assert (await look(cache, START, "A@x.TEST"))[0] == GOOD
    assert (await look(cache, START, "a@x.test"))[0] == IN_PROGRESS
    await cache.note("\udcff@x.test", BAD, LIVES, START)
    assert (await look(cache, START, "\udcff@x.test"))[0] == BAD
    assert (await look(cache, START, "\udcfe@x.test"))[0] == IN_PROGRESS


async def test_a_reason_has_a_limit(cache):
    await cache.note("a@x.test", BAD._replace(text="x" * 9000), LIVES, START)
    assert len((await look(cache, START))[0].text) == 1000


async def count(cache):
    return await cache._file.do(lambda db: db.execute("SELECT count(*) FROM address").get)


async def test_what_is_too_old_is_removed_in_its_interval(cache):
    await cache.note("old@x.test", BAD, LIVES, START)
    await cache.note("good@x.test", GOOD, LIVES, START)
    await look(cache, START + 2 * DAY)
    assert await count(cache) == 3
    await look(cache, START + 2 * DAY + 43200 + DAY, lives=LIVES._replace(cleanup=0))
    assert await count(cache) == 3
    await look(cache, START + 2 * DAY + 43200 + DAY)
    assert await count(cache) == 2


async def test_there_is_a_limit_and_the_oldest_go(cache, monkeypatch):
    monkeypatch.setattr(verify_cache, "LIMIT", 5)
    for number in range(10):
        await cache.note(f"{number}@x.test", GOOD, LIVES, START + number)
    await look(cache, START + 20, "9@x.test")
    assert await count(cache) == 5
    assert (await look(cache, START + 21, "4@x.test"))[0] == IN_PROGRESS
    assert (await look(cache, START + 21, "5@x.test"))[0] == GOOD


async def test_it_stays_in_its_file_or_in_memory(tmp_path):
    for path, known in ((tmp_path / "v.sqlite", GOOD), (None, IN_PROGRESS)):
        first = VerifyCache(path)
        await first.note("a@x.test", GOOD, LIVES, START)
        assert (await look(first, START))[0] == GOOD
        first.close()
        second = VerifyCache(path)
        assert (await look(second, START))[0] == known
        second.close()


def test_a_process_has_one(tmp_path):
    assert open_verify_cache(tmp_path / "v") is open_verify_cache(tmp_path / "v")


async def test_what_is_known_can_be_read_without_a_trace(cache, tmp_path):
    path = tmp_path / "verify.sqlite"
    assert verify_cache.known(path, "a@x.test", LIVES, START) is None
    assert not path.exists()
    await cache.note("a@x.test", BAD, LIVES, START)
    assert verify_cache.known(path, "a@X.test", LIVES, START + 1) == BAD
    assert verify_cache.known(path, "b@x.test", LIVES, START + 1) is None
    assert verify_cache.known(path, "a@x.test", LIVES, START + 4 * DAY) is None
    assert await look(cache, START + 1) == (BAD, False)
