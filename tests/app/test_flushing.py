"""ETRN: who may ask, and that many who ask cost one look at a time."""

from __future__ import annotations

import asyncio

import pytest

from patience import until
from postroad.app import flushing
from postroad.app.flushing import Etrn, SiteFlusher, Wishes
from postroad.base.clock import SystemClock
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.store import params as store
from postroad.tables.context import TableContext


def etrn(domains: str, wanted: list[str], *, room: bool = True, **texts: str) -> Etrn:
    settings = settings_of([model.params, store.params], fast_flush_domains=domains, **texts)

    def flush(site: str) -> bool:
        wanted.append(site)
        return room

    return Etrn(settings, TableContext(), Log(ListSink()), flush)


@pytest.mark.parametrize(
    ("site", "reply", "flushed"),
    [
        ("ours.example", "250 Queuing started", ["ours.example"]),
        ("OURS.example", "250 Queuing started", ["ours.example"]),
        ("sub.ours.example", "250 Queuing started", ["sub.ours.example"]),
        ("[192.0.2.1]", "250 Queuing started", ["[192.0.2.1]"]),
        ("other.example", "459 <other.example>: service unavailable", []),
        ("[192.0.2.2]", "459 <[192.0.2.2]>: service unavailable", []),
    ],
)
async def test_who_is_eligible_is_said_by_fast_flush_domains(site, reply, flushed):
    wanted: list[str] = []
    answer = etrn("ours.example, [192.0.2.1]", wanted)
    assert (await answer(site)).line() == reply
    assert wanted == flushed


async def test_subdomains_count_where_parent_domain_matches_subdomains_says_so():
    wanted: list[str] = []
    answer = etrn("ours.example, .all.example", wanted, parent_domain_matches_subdomains="")
    assert (await answer("sub.ours.example")).code == 459
    assert (await answer("sub.all.example")).code == 250


async def test_what_cannot_be_looked_up_or_is_too_much_is_458():
    wanted: list[str] = []
    assert (await etrn("fail:x", wanted)("ours.example")).line() == "458 Unable to queue messages"
    assert wanted == []
    assert (await etrn("ours.example", wanted, room=False)("ours.example")).code == 458
    assert (await flushing.nothing("ours.example")).code == 458


def test_a_worker_tells_what_gathered_while_the_supervisor_was_busy_and_no_more_than_fits():
    told: list[list[str]] = []
    wishes = Wishes(told.append)
    assert all([wishes.add("a"), wishes.add("b"), wishes.add("a"), wishes.add("b")])
    assert told == [["a"]]
    wishes.done()
    assert told == [["a"], ["a", "b"]]
    assert all(wishes.add(str(number)) for number in range(1000))
    assert not wishes.add("one too many")
    assert wishes.add("1")
    assert len(told) == 2
    wishes.done()
    wishes.done()
    assert len(told) == 3
    assert wishes.add("z")
    assert told[3] == ["z"]


class Workers:
    def __init__(self, monkeypatch, rest: float = 0.0) -> None:
        monkeypatch.setattr(flushing, "_REST", rest)
        self.asked: list[list[str]] = []
        self.told: list[int] = []
        self.sink = ListSink()
        self.answers: list[dict[str, object]] = [{"changed": []}]
        self.free = asyncio.Event()
        self.flusher = SiteFlusher(self._ask, self.told.append, Log(self.sink), SystemClock())

    async def _ask(self, request):
        assert request["verb"] == "flush"
        assert request["ids"] == "ALL"
        self.asked.append(request["sites"])
        await self.free.wait()
        if not self.answers:
            raise RuntimeError("nobody answers")
        return self.answers

    async def until(self, told: int) -> None:
        await until(lambda: len(self.told) >= told, explain=lambda: self.told)


async def test_what_is_asked_for_during_a_look_has_the_next_one_together(monkeypatch):
    workers = Workers(monkeypatch)
    workers.flusher.want(0, ["a"])
    await asyncio.sleep(0)
    workers.flusher.want(1, ["b", "c"])
    workers.flusher.want(0, ["c"])
    await asyncio.sleep(0)
    assert workers.asked == [["a"]]
    assert workers.told == []
    workers.free.set()
    await workers.until(3)
    assert workers.asked == [["a"], ["b", "c"]]
    assert sorted(workers.told) == [0, 0, 1]
    await until(lambda: not workers.flusher._running)
    workers.flusher.want(1, ["d"])
    await workers.until(4)
    assert workers.asked[2:] == [["d"]]


async def test_a_look_that_fails_is_told_and_those_who_asked_go_on(monkeypatch):
    workers = Workers(monkeypatch)
    workers.free.set()
    workers.answers = [{"changed": []}, {"error": "worker 1 does not answer"}]
    workers.flusher.want(0, ["a"])
    await workers.until(1)
    workers.answers = []
    workers.flusher.want(0, ["a"])
    await workers.until(2)
    log = "\n".join(str(each) for each in workers.sink.lines)
    assert "cannot flush: worker 1 does not answer" in log
    assert "nobody answers" in log
