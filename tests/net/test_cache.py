"""The cache forgets by age and by number."""

from __future__ import annotations

from postroad.net.cache import Cache


def test_an_entry_is_kept_until_it_ends(clock):
    cache = Cache(clock, 10)
    cache.put(("a", "A"), "x", 5)
    clock.advance(4.9)
    assert cache.get(("a", "A")) == "x"
    clock.advance(0.1)
    assert cache.get(("a", "A")) is None
    assert len(cache) == 0


def test_the_entry_used_longest_ago_makes_room(clock):
    cache = Cache(clock, 2)
    for name in "ab":
        cache.put((name, "A"), name, 60)
    assert cache.get(("a", "A")) == "a"
    cache.put(("c", "A"), "c", 60)
    assert cache.get(("b", "A")) is None
    assert cache.get(("a", "A")) == "a"


def test_nothing_is_kept_for_no_time_or_without_room(clock):
    cache = Cache(clock, 2)
    cache.put(("a", "A"), "a", 0)
    assert cache.get(("a", "A")) is None
    empty = Cache(clock, 0)
    empty.put(("a", "A"), "a", 60)
    assert empty.get(("a", "A")) is None


def test_a_cache_can_be_cleared(clock):
    cache = Cache(clock, 2)
    cache.put(("a", "A"), "a", 60)
    cache.clear()
    assert cache.get(("a", "A")) is None
