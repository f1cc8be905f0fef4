import contextlib

import pytest

from postroad.admin import queue as tools
from postroad.admin.queue import change, change_directly, find_message, merge, perform, queue_of, read_queue
from postroad.base.clock import TestClock
from postroad.base.errors import StoreUnavailable
from postroad.base.ids import QueueIds
from postroad.model.message import Message, Recipient, Text
from postroad.model.queue import Settlement
from postroad.net.control import NotRunning
from postroad.store.change import Change
from postroad.store.envelope import pack
from postroad.store.lock import ShardBusy
from postroad.store.memory import MemoryStore
from postroad.store.reader import ShardReader
from postroad.store.shard import Shard

NOW = 1_700_000_000.0


@pytest.fixture
def new():
    ids = QueueIds(TestClock(NOW))

    def make(*addresses, attempts=1, held=False, owner=""):
        message = Message(
            ids.next_key(), "", [Recipient(a) for a in addresses or ("bob@x.test",)], NOW, Text(b"t\r\n")
        )
        message.attempts, message.held, message.owner = attempts, held, owner
        return message

    return make


@pytest.fixture
def put(tmp_path):
    def add(message, shard=0):
        row = Change(print)
        row.row = (message.key, NOW + 4000, message.owner, int(message.held), pack(message))
        row.carry(message.content.data)
        with contextlib.closing(Shard(tmp_path / f"shard-{shard}")) as opened:
            opened.write([row])
        return message

    return add


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"owner": "w"}, "active"),
        ({"owner": "w", "held": True}, "hold"),
        ({"held": True}, "hold"),
        ({}, "deferred"),
        ({"attempts": 0}, "incoming"),
    ],
)
def test_a_message_is_in_the_queue_that_postfix_would_have_it_in(new, facts, name):
    assert queue_of(new(**facts)) == name


def test_a_listed_message_shows_who_still_waits_and_why(new):
    message = new("a@x.test", "b@x.test")
    message.recipients[0].done = True
    message.recipients[1].reason = "evil\r\n\x1b[2J\udcff"
    shown = tools.listed(message)
    assert shown.sender == "MAILER-DAEMON"
    assert [(r.address, r.delay_reason) for r in shown.recipients] == [("b@x.test", "evil???[2J?")]


def test_a_listed_address_is_quoted_where_mail_quotes_it(new):
    message = new("x y@x.test", ".a@x.test")
    message.sender = "a b@x.test"
    shown = tools.listed(message)
    assert shown.sender == '"a b"@x.test'
    assert [each.address for each in shown.recipients] == ['"x y"@x.test', '".a"@x.test']


def test_every_shard_is_read_in_order_of_arrival(put, new, tmp_path):
    held, deferred, active = new(held=True), new(), new(owner="w")
    put(held, 1)
    put(deferred, 0)
    put(active, 1)
    assert [m.queue_id for m in read_queue(tmp_path)] == [held.id, deferred.id, active.id]
    assert list(read_queue(tmp_path / "none")) == []


def test_the_first_messages_are_listed_before_the_others_are_read(put, new, tmp_path, monkeypatch):
    for _ in range(5):
        put(new())
    monkeypatch.setattr("postroad.store.reader._PAGE", 2)
    pages = []
    page = ShardReader.page
    monkeypatch.setattr(ShardReader, "page", lambda *args, **more: pages.append(1) or page(*args, **more))
    messages = read_queue(tmp_path)
    next(messages)
    assert len(pages) == 1
    assert len(list(messages)) == 4


def test_a_message_is_found_in_any_shard(put, new, tmp_path):
    put(new(), 0)
    message = put(new(), 1)
    found, content = find_message(tmp_path, message.id)
    assert (found.key, content.data) == (message.key, b"t\r\n")
    assert find_message(tmp_path, "ABC") is None
    with pytest.raises(ValueError, match="not a queue id"):
        find_message(tmp_path, "../x")


def test_a_change_goes_to_the_shards_when_nothing_runs(put, new, tmp_path):
    one, two, three = put(new(), 0), put(new(), 1), put(new(held=True), 1)
    control = str(tmp_path / "control")
    assert change(tmp_path, control, "hold", [one.id, "0AB", "!"], now=NOW) == [one.id]
    assert change(tmp_path, control, "release", None, now=NOW) == [one.id, three.id]
    assert change(tmp_path, control, "requeue", [two.id], now=NOW) == [two.id]
    assert change(tmp_path, control, "flush", None, now=NOW) == [one.id, three.id]
    assert change(tmp_path, control, "expire", [two.id], now=NOW) == [two.id]
    assert [m.forced_expire for m in read_queue(tmp_path)] == [False, True, False]
    assert change(tmp_path, control, "delete", None, now=NOW) == [one.id, two.id, three.id]
    assert list(read_queue(tmp_path)) == []


def test_a_change_chooses_by_queue_and_by_site(put, new, tmp_path):
    held, deferred = put(new("a@x.test", held=True)), put(new("b@y.test"))
    control = str(tmp_path / "control")
    assert change(tmp_path, control, "delete", None, now=NOW, queues=["incoming"]) == []
    assert change(tmp_path, control, "flush", None, now=NOW, site="X.test") == []
    assert change(tmp_path, control, "flush", None, now=NOW, site="Y.test") == [deferred.id]
    assert change(tmp_path, control, "delete", [held.id, deferred.id], now=NOW, queues=["hold"]) == [held.id]


def test_several_sites_are_one_change(put, new, tmp_path):
    first, second, _third = (
        put(new("a@x.test")),
        put(new("b@y.test", "c@[192.0.2.1]"), 1),
        put(new("d@z.test")),
    )
    request = {"verb": "flush", "ids": "ALL"}
    assert change_directly(tmp_path, request | {"sites": ["X.test", "[192.0.2.1]"]}, NOW) == [
        first.id,
        second.id,
    ]
    assert (
        change_directly(tmp_path, request | {"sites": ["x.test.other", "'; DROP TABLE message; --"]}, NOW)
        == []
    )


def test_many_ids_go_in_several_requests(tmp_path, monkeypatch):
    requests = []
    monkeypatch.setattr(tools, "ask", lambda path, request: requests.append(request) or {"changed": ["A"]})
    ids = [f"{n:X}" for n in range(45_000)]
    assert change(tmp_path, "control", "delete", ids, now=NOW) == ["A"] * 3
    assert [queue_id for request in requests for queue_id in request["ids"]] == ids


@pytest.mark.parametrize(
    ("answer", "error"),
    [({"error": "no", "code": 77}, PermissionError), ({"error": "worker 1 is gone"}, StoreUnavailable)],
)
def test_a_refusal_of_the_server_is_raised(tmp_path, monkeypatch, answer, error):
    monkeypatch.setattr(tools, "ask", lambda path, request: answer)
    with pytest.raises(error):
        change(tmp_path, "control", "delete", None, now=NOW)
    with pytest.raises(error):
        tools.ask_queue("control")


def test_a_shard_in_use_is_not_changed_behind_its_back(put, new, tmp_path):
    put(new())
    with contextlib.closing(Shard(tmp_path / "shard-0")), pytest.raises(ShardBusy):
        change_directly(tmp_path, {"verb": "delete", "ids": "ALL"}, NOW)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"verb": "drop", "ids": "ALL"},
        {"verb": "__class__", "ids": "ALL"},
        {"verb": "delete"},
        {"verb": "delete", "ids": "all"},
        {"verb": "delete", "ids": [1, 2]},
        {"verb": "delete", "ids": "ALL", "queues": "hold"},
        {"verb": "delete", "ids": "ALL", "queues": [7]},
        {"verb": ["delete"], "ids": "ALL"},
    ],
)
async def test_a_request_that_is_none_is_refused(request_, new):
    store = MemoryStore(TestClock(NOW))
    store.accept(new(), lambda error: None)
    with pytest.raises((ValueError, TypeError)):
        await perform(store, request_, NOW)
    assert await store.count() == 1


async def test_a_worker_performs_requests_on_its_store(new):
    store = MemoryStore(TestClock(NOW))
    message, held = new(), new(held=True)
    for each in (message, held):
        store.accept(each, lambda error: None)
    store.settle(Settlement(message, NOW + 4000), lambda error: None)
    request = {"verb": "hold", "ids": [message.id, "nonsense!"], "queues": ["deferred"]}
    assert await perform(store, request, NOW) == {"changed": [message.id]}
    assert await perform(store, {"verb": "release", "ids": "ALL"}, NOW) == {"changed": [message.id, held.id]}
    assert await perform(store, {"verb": "flush", "ids": "ALL"}, NOW) == {"changed": [message.id]}


async def test_a_choice_among_all_is_made_page_by_page(new, monkeypatch):
    monkeypatch.setattr(tools, "_PAGE", 3)
    store = MemoryStore(TestClock(NOW))
    messages = [new(held=number % 2 == 0) for number in range(11)]
    for message in messages:
        store.accept(message, lambda error: None)
    request = {"verb": "delete", "ids": "ALL", "queues": ["hold"]}
    assert await perform(store, request, NOW) == {"changed": [m.id for m in messages if m.held]}
    assert await store.count() == 5


async def test_the_queue_is_asked_for_in_pages_of_all_workers(new, monkeypatch):
    monkeypatch.setattr(tools, "_PAGE", 3)
    stores = [MemoryStore(TestClock(NOW)) for _ in range(2)]
    messages = [new() for _ in range(11)]
    for number, message in enumerate(messages):
        stores[number % 4 == 0].accept(message, lambda error: None)
    pages = []

    async def answer(request):
        return merge([await perform(store, request, NOW) for store in stores])

    after, more = "", True
    while more:
        page = await answer({"verb": "list", "after": after})
        pages.append(page)
        after, more = max(m["queue_id"] for m in page["messages"]), page["more"]
    assert sorted(m["queue_id"] for page in pages for m in page["messages"]) == [m.id for m in messages]
    assert len(pages) > 2
    answers = iter(pages)
    monkeypatch.setattr(tools, "ask", lambda path, request: next(answers))
    assert [m.queue_id for m in tools.ask_queue("control")] == [m.id for m in messages]


def test_answers_of_workers_are_merged():
    assert merge([{"changed": ["B"]}, {"changed": ["A"]}, {"error": "worker 2 is gone"}]) == {
        "changed": ["A", "B"],
        "error": "worker 2 is gone",
    }


def test_asking_for_the_queue_where_nothing_runs_says_so(tmp_path):
    with pytest.raises(NotRunning):
        tools.ask_queue(str(tmp_path / "control"))
