"""What greylisting remembers, and for how long."""

from __future__ import annotations

import apsw
import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.greylist import Greylist, Terms, Triple, foresee, open_greylist

DAY = 86400
TERMS = Terms(delay=300, window=2 * DAY, expire=35 * DAY, auto_allow=2, limit=1000)
A = Triple("192.0.2.0/24", "a@example.net", "u@here.test")
START = 1_700_000_000


@pytest.fixture
def memory(tmp_path):
    made = Greylist(tmp_path / "greylist.db")
    yield made
    made.close()


def triple(number: int, network: str = "192.0.2.0/24") -> Triple:
    return Triple(network, f"{number}@example.net", "u@here.test")


async def test_the_first_attempt_is_too_early_and_the_rest_is_counted_down(memory):
    assert await memory.ask(A, TERMS, START) == 300
    assert await memory.ask(A, TERMS, START + 100) == 200
    assert await memory.ask(A, TERMS, START + 299) == 1
    assert await memory.ask(A, TERMS, START + 300) == 0
    assert await memory.ask(A, TERMS, START + 301) == 0


async def test_who_comes_after_the_window_begins_anew(memory):
    await memory.ask(A, TERMS, START)
    assert await memory.ask(A, TERMS, START + 2 * DAY + 1) == 300
    assert await memory.ask(A, TERMS, START + 2 * DAY + 301) == 0


async def test_who_has_passed_is_remembered_from_the_last_mail_on(memory):
    await memory.ask(A, TERMS, START)
    now = START + 300
    for _ in range(3):
        assert await memory.ask(A, TERMS, now) == 0
        now += 35 * DAY
    assert await memory.ask(A, TERMS, now + 1) == 300


@pytest.mark.parametrize(
    "other",
    [A._replace(network="198.51.100.0/24"), A._replace(sender=""), A._replace(recipient="v@here.test")],
)
async def test_another_triple_is_another(memory, other):
    await memory.ask(A, TERMS, START)
    assert await memory.ask(other, TERMS, START + 300) == 300


async def test_a_network_that_came_again_often_is_let_in(memory):
    for number in range(2):
        await memory.ask(triple(number), TERMS, START)
        assert await memory.ask(triple(number), TERMS, START + 300) == 0
    assert await memory.ask(triple(9), TERMS, START + 301) == 0
    assert await memory.ask(triple(9, "198.51.100.0/24"), TERMS, START + 301) == 300
    assert await memory.ask(triple(8), TERMS._replace(auto_allow=0), START + 302) == 300
    assert await memory.ask(triple(9), TERMS, START + 301 + 36 * DAY) == 300


async def test_a_network_that_is_let_in_stays_so_while_it_sends(memory):
    for number in range(2):
        await memory.ask(triple(number), TERMS, START)
        await memory.ask(triple(number), TERMS, START + 300)
    for number in range(5):
        assert await memory.ask(triple(10 + number), TERMS, START + (number + 1) * 20 * DAY) == 0


async def test_a_clock_that_goes_back_begins_anew(memory):
    await memory.ask(A, TERMS, START)
    assert await memory.ask(A, TERMS, START - 1000) == 300
    assert await memory.ask(A, TERMS, START - 701) == 1
    assert await memory.ask(A, TERMS, START - 700) == 0
    assert await memory.ask(A, TERMS, START - 2000) == 0  # it has waited, and did come again


async def test_all_workers_share_it_and_it_stays(memory, tmp_path):
    await memory.ask(A, TERMS, START)
    other = Greylist(tmp_path / "greylist.db")
    assert await other.ask(A, TERMS, START + 300) == 0
    other.close()
    memory.close()
    assert await Greylist(tmp_path / "greylist.db").ask(A, TERMS, START + 301) == 0


def count(tmp_path) -> int:
    db = apsw.Connection(str(tmp_path / "greylist.db"))
    try:
        return db.execute("SELECT count(*) FROM triple").get
    finally:
        db.close()


async def test_what_is_too_old_is_forgotten(memory, tmp_path):
    await memory.ask(A, TERMS, START)
    await memory.ask(A, TERMS, START + 300)
    await memory.ask(triple(1), TERMS, START)
    await memory.ask(triple(2), TERMS, START + 3 * DAY)
    assert count(tmp_path) == 2
    await memory.ask(triple(3), TERMS, START + 40 * DAY)
    assert count(tmp_path) == 1


async def test_there_is_a_limit_and_those_who_passed_stay_longest(memory, tmp_path):
    terms = TERMS._replace(limit=10, auto_allow=0)
    await memory.ask(A, terms, START)
    await memory.ask(A, terms, START + 300)
    for number in range(20):
        await memory.ask(triple(number), terms, START + 300 + number)
    assert count(tmp_path) == 21
    await memory.ask(triple(20), terms, START + 700)
    assert count(tmp_path) == 11
    assert await memory.ask(A, terms, START + 701) == 0
    assert await memory.ask(triple(19), terms, START + 701) == 0
    assert await memory.ask(triple(1), terms, START + 701) == 300


async def test_a_file_that_fails_is_neither_yes_nor_no(tmp_path):
    with pytest.raises(StoreUnavailable):
        await Greylist(tmp_path / "none" / "greylist.db").ask(A, TERMS, START)


def test_a_process_has_one_memory(tmp_path):
    assert open_greylist(tmp_path / "g.db") is open_greylist(tmp_path / "g.db")


@pytest.mark.parametrize("wait", [0, 100, 300, 2 * DAY, 2 * DAY + 1])
async def test_what_is_foreseen_is_what_is_answered_and_nothing_is_noted(memory, tmp_path, wait):
    path = tmp_path / "greylist.db"
    await memory.ask(A, TERMS, START)
    expected = foresee(path, A, TERMS, START + wait)
    assert foresee(path, A, TERMS, START + wait) == expected
    assert await memory.ask(A, TERMS, START + wait) == expected


async def test_those_who_have_passed_and_networks_that_are_known_are_foreseen(memory, tmp_path):
    path = tmp_path / "greylist.db"
    for each in (triple(1), triple(2)):
        await memory.ask(each, TERMS, START)
        await memory.ask(each, TERMS, START + 300)
    now = START + 400
    assert foresee(path, triple(1), TERMS._replace(auto_allow=0), now) == 0
    assert foresee(path, triple(1), TERMS._replace(auto_allow=0), now + 40 * DAY) == 300
    assert foresee(path, triple(3), TERMS, now) == 0
    assert foresee(path, triple(3), TERMS, now + 40 * DAY) == 300
    assert foresee(path, triple(3), TERMS._replace(auto_allow=5), now) == 300


def test_where_there_is_no_file_none_is_made(tmp_path):
    assert foresee(tmp_path / "none.db", A, TERMS, START) == 300
    assert list(tmp_path.iterdir()) == []
