import re

import pytest

from postroad.base.clock import TestClock
from postroad.base.ids import QueueIds, id_of, key_of, shard_of


def test_ids_are_fifteen_hexadecimal_digits_and_rise_even_when_the_clock_stands_or_goes_back():
    clock = TestClock()
    ids = QueueIds(clock, shard=3)
    keys = [ids.next_key() for _ in range(1000)]
    clock.advance(-100)
    keys += [ids.next_key() for _ in range(10)]
    assert keys == sorted(set(keys))
    assert all(re.fullmatch("[0-9A-F]{15}", id_of(key)) for key in keys)
    assert {shard_of(key) for key in keys} == {3}


def test_two_shards_never_make_the_same_id():
    clock = TestClock()
    one, two = QueueIds(clock, 0), QueueIds(clock, 1)
    assert not {one.next_key() for _ in range(100)} & {two.next_key() for _ in range(100)}


def test_a_shard_goes_on_above_its_last_key_after_a_restart():
    clock = TestClock()
    last = QueueIds(clock, 5).next_key()
    clock.advance(-1000)
    assert QueueIds(clock, 5, last).next_key() > last


def test_an_id_gives_its_key_back():
    key = QueueIds(TestClock()).next_key()
    assert key_of(id_of(key)) == key
    assert key < 1 << 63


@pytest.mark.parametrize("text", ["", "XYZ", "12 3", "-1", "1" * 16, "１２", "0x12"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(ValueError):
        key_of(text)
