"""The contract of the queue.  Every implementation passes the same tests."""

import asyncio

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.model.message import FAILURE, Message, Text
from postroad.model.queue import Settlement


async def keys(bench) -> list[int]:
    return [message.key for message in await bench.store.find()]


async def test_an_accepted_message_is_leased_to_the_store_that_accepted_it(bench, new, clock):
    message = await bench.accept(new())
    assert message.owner == bench.store.owner
    assert message.due > clock.now()
    assert await bench.store.claim(now=clock.now(), most=10) == []
    assert await bench.store.count() == 1


async def test_everything_of_an_envelope_is_kept(bench, new, clock):
    message = new("bob@example.net", "käthe@example.net", sender="")
    message.eight_bit = message.smtputf8 = message.warned = True
    message.ret, message.envid, message.attempts = "HDRS", "x+y", 3
    message.attributes = {"sasl_username": "carol", "client_name": "h\udcff.example"}
    one, two = message.recipients
    one.notify, one.orcpt, one.original = FAILURE, "rfc822;b@example.net", "b@example.net"
    two.reason, two.status, two.remote = "try later", "4.2.1", "mx.example.net"
    two.warned = one.done = True
    await bench.accept(message)
    (found,) = await bench.store.find([message.key])
    for name in ("sender", "arrival", "size", "attempts", "ret", "envid", "attributes", "eight_bit", "smtputf8", "warned"):  # fmt: skip
        assert getattr(found, name) == getattr(message, name), name
    for mine, theirs in zip(message.recipients, found.recipients, strict=True):
        for name in mine.__slots__:
            assert getattr(mine, name) == getattr(theirs, name), name


@pytest.mark.parametrize("text", [b"\r\n", b"a: b\r\n\r\n\x00\xff\r\n", b"x: y\r\n\r\n" + b"z" * 70_000])
async def test_a_content_comes_back_byte_for_byte(bench, new, text):
    message = await bench.accept(new(text=text))
    (found,) = await bench.store.find()
    assert b"".join(bench.store.content(found).pieces()) == text
    assert found.size == len(text)
    assert bench.store.content(message) is message.content


async def test_a_spooled_content_comes_back_in_pieces(bench, new):
    message = new()
    spool = bench.store.spool(message.key)
    for _ in range(5):
        spool.write(b"0123456789" * 1000)
    message.content = spool.finish()
    message.size = message.content.size
    await bench.accept(message)
    (found,) = await bench.store.find()
    pieces = list(bench.store.content(found).pieces(20_000))
    assert b"".join(pieces) == b"0123456789" * 5000
    assert found.size == 50_000


async def test_an_aborted_spool_leaves_nothing(bench, new):
    message = new()
    spool = bench.store.spool(message.key)
    spool.write(b"half")
    spool.abort()
    assert await bench.store.count() == 0
    bench.store.spool(message.key).abort()


async def test_a_key_is_queued_once(bench, new):
    message = await bench.accept(new())
    twin = Message(message.key, "", message.recipients, 0.0, Text(b"other\r\n"))
    with pytest.raises(StoreUnavailable):
        await bench.accept(twin)
    (found,) = await bench.store.find()
    assert found.sender == "alice@example.org"


async def test_a_message_without_content_is_refused(bench, new):
    message = new()
    message.content = None
    with pytest.raises(StoreUnavailable):
        await bench.accept(message)
    assert await bench.store.count() == 0


async def test_a_message_whose_recipients_are_all_done_leaves(bench, new):
    message = await bench.accept(new("a@x.test", "b@x.test"))
    await bench.finish(message)
    assert await bench.store.find() == []
    assert await bench.store.count() == 0


async def test_a_deferred_message_is_claimed_when_it_is_due(bench, new, clock):
    message = await bench.accept(new("a@x.test", "b@x.test"))
    message.recipients[0].done = True
    message.recipients[1].reason = "mailbox full"
    message.attempts = 1
    await bench.settle(message, due=clock.now() + 300)
    assert await bench.store.claim(now=clock.now() + 299, most=10) == []
    clock.advance(300)
    (claimed,) = await bench.store.claim(now=clock.now(), most=10)
    assert [(r.address, r.done, r.reason) for r in claimed.recipients] == [
        ("a@x.test", True, ""),
        ("b@x.test", False, "mailbox full"),
    ]
    assert claimed.content is None
    assert claimed.owner == bench.store.owner
    assert claimed.due > clock.now()
    assert await bench.store.claim(now=clock.now(), most=10) == []
    await bench.finish(claimed)
    assert await bench.store.count() == 0


async def test_claims_come_earliest_first_and_at_most_as_many_as_asked(bench, new, clock):
    messages = [await bench.accept(new()) for _ in range(5)]
    for place, message in enumerate(messages):
        await bench.settle(message, due=clock.now() + 10 * ((place * 2) % 5))
    clock.advance(100)
    got = [m.key for m in await bench.store.claim(now=clock.now(), most=3)]
    got += [m.key for m in await bench.store.claim(now=clock.now(), most=3)]
    assert got == [messages[place].key for place in (0, 3, 1, 4, 2)]


async def test_claims_made_at_once_never_overlap(bench, new, clock):
    for _ in range(30):
        await bench.settle(await bench.accept(new()), due=clock.now())
    parts = await asyncio.gather(*(bench.store.claim(now=clock.now(), most=7) for _ in range(6)))
    claimed = [message.key for part in parts for message in part]
    assert len(claimed) == len(set(claimed)) == 30


async def test_a_notice_is_queued_in_the_transaction_that_settles_its_message(bench, new, clock):
    message, notice = await bench.accept(new()), new(sender="")
    await bench.finish(message, notices=[notice])
    assert await keys(bench) == [notice.key]
    assert notice.owner == bench.store.owner
    assert b"".join(bench.store.content((await bench.store.find())[0]).pieces()) == notice.content.data
    await bench.finish(notice)
    assert await bench.store.count() == 0


async def test_a_settlement_without_a_lease_changes_nothing(bench, new, clock):
    message = await bench.accept(new())
    await bench.settle(message, due=clock.now() + 60)
    notice = new(sender="")
    with pytest.raises(LookupError):
        await bench.finish(message, notices=[notice])
    assert await keys(bench) == [message.key]
    stranger = new()
    with pytest.raises(LookupError):
        await bench.finish(stranger)


async def test_then_is_called_exactly_once(bench, new):
    calls = []
    message = new()
    bench.store.accept(message, calls.append)
    await bench.store.hold([0])  # whatever was added before has been written
    await asyncio.sleep(0)
    assert calls == [None]
    for recipient in message.recipients:
        recipient.done = True
    bench.store.settle(Settlement(message, 0.0, [new(), new()]), calls.append)
    await bench.store.hold([0])
    await asyncio.sleep(0)
    assert calls == [None, None]


async def test_leases_of_a_dead_process_come_back(bench, new, clock):
    accepted, deferred = await bench.accept(new()), await bench.accept(new())
    await bench.settle(deferred, due=clock.now())
    await bench.store.claim(now=clock.now(), most=1)
    await bench.crash()
    clock.advance(4000)
    assert {m.key for m in await bench.store.claim(now=clock.now(), most=9)} == {accepted.key, deferred.key}


async def test_a_lease_that_came_to_another_is_lost_to_the_first(bench, new, clock):
    message = await bench.accept(new())
    await bench.crash()
    clock.advance(4000)
    (again,) = await bench.store.claim(now=clock.now(), most=9)
    await bench.finish(again)
    with pytest.raises(LookupError):
        await bench.finish(message)


async def test_our_own_lease_does_not_run_out_while_we_live(bench, new, clock):
    await bench.accept(new())
    clock.advance(1_000_000)
    assert await bench.store.claim(now=clock.now(), most=9) == []


async def test_an_orderly_stop_returns_the_leases(bench, new, clock):
    message = await bench.accept(new())
    await bench.reopen()
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [message.key]


# --- what operators do


async def test_a_message_accepted_on_hold_is_not_leased_and_not_claimed(bench, new, clock):
    message = new()
    message.held = True
    await bench.accept(message)
    assert message.owner == ""
    assert await bench.store.claim(now=clock.now() + 999_999, most=9) == []
    assert await bench.store.release(None) == [message.key]
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [message.key]


async def test_hold_and_release_name_what_they_changed(bench, new, clock):
    one, two = [await bench.accept(new()) for _ in range(2)]
    await bench.settle(one, due=clock.now())
    await bench.settle(two, due=clock.now())
    assert await bench.store.hold([one.key, 12345]) == [one.key]
    assert await bench.store.hold(None) == [two.key]
    assert await bench.store.hold(None) == []
    assert await bench.store.claim(now=clock.now(), most=9) == []
    assert [m.held for m in await bench.store.find()] == [True, True]
    assert await bench.store.release([two.key]) == [two.key]
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [two.key]


async def test_what_is_held_during_its_delivery_stays_held_if_it_is_deferred(bench, new, clock):
    stays, goes = await bench.accept(new()), await bench.accept(new())
    assert await bench.store.hold(None) == [stays.key, goes.key]
    await bench.settle(stays, due=clock.now())
    await bench.finish(goes)
    assert await bench.store.claim(now=clock.now(), most=9) == []
    assert [(m.key, m.held) for m in await bench.store.find()] == [(stays.key, True)]


async def test_what_is_deleted_during_its_delivery_disappears(bench, new, clock):
    deferred, done = await bench.accept(new()), await bench.accept(new())
    assert await bench.store.delete(None) == [deferred.key, done.key]
    assert await bench.store.delete(None) == []
    assert await bench.store.find() == []
    assert await bench.store.count() == 0
    await bench.settle(deferred, due=clock.now())
    await bench.finish(done)
    assert await bench.store.claim(now=clock.now(), most=9) == []
    await bench.reopen()
    assert await bench.store.count() == 0


async def test_the_content_of_a_message_deleted_during_its_delivery_stays_readable(bench, new):
    message = await bench.accept(new())
    (seen,) = await bench.store.find()
    await bench.store.delete([message.key])
    assert b"".join(bench.store.content(seen).pieces()) == message.content.data


async def test_what_was_deleted_while_a_process_died_does_not_come_back(bench, new, clock):
    await bench.accept(new())
    await bench.store.delete(None)
    await bench.reopen()
    clock.advance(4000)
    assert await bench.store.claim(now=clock.now(), most=9) == []


async def test_delete_removes_what_it_names(bench, new, clock):
    one, two = [await bench.accept(new()) for _ in range(2)]
    await bench.settle(one, due=clock.now())
    await bench.settle(two, due=clock.now())
    assert await bench.store.delete([two.key, 77]) == [two.key]
    assert await keys(bench) == [one.key]


async def test_flush_makes_deferred_messages_due(bench, new, clock):
    active, deferred, held = [await bench.accept(new()) for _ in range(3)]
    await bench.settle(deferred, due=clock.now() + 4000)
    await bench.settle(held, due=clock.now() + 4000)
    await bench.store.hold([held.key])
    assert await bench.store.flush(None, now=clock.now()) == [deferred.key]
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [deferred.key]
    assert await bench.store.flush([active.key], now=clock.now()) == []


async def test_requeue_releases_and_makes_due(bench, new, clock):
    held, active = [await bench.accept(new()) for _ in range(2)]
    await bench.settle(held, due=clock.now() + 4000)
    await bench.store.hold([held.key])
    assert await bench.store.requeue(None, now=clock.now()) == [held.key, active.key]
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [held.key]
    await bench.settle(active, due=clock.now() + 4000)
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [active.key]
    (again,) = await bench.store.find([active.key])
    await bench.settle(again, due=clock.now() + 4000)
    assert await bench.store.claim(now=clock.now(), most=9) == []


async def test_what_was_requeued_has_its_filter_chosen_anew_by_its_next_attempt_alone(bench, new, clock):
    message = new()
    message.attributes["content_filter"] = "smtp:[before]"
    other = await bench.accept(new())
    await bench.settle(await bench.accept(message), due=clock.now() + 4000)
    await bench.store.requeue([message.key, other.key], now=clock.now())
    await bench.settle(other, due=clock.now() + 4000)  # requeued while it was delivered
    claimed = await bench.store.claim(now=clock.now(), most=9)
    assert [each.attributes["content_filter"] for each in claimed] == ["", ""]
    assert [each.attributes.get("expired") for each in claimed] == [None, None]
    for each in claimed:
        each.attributes["content_filter"] = "smtp:[after]"
        await bench.settle(each, due=clock.now())
    claimed = await bench.store.claim(now=clock.now(), most=9)
    assert [each.attributes["content_filter"] for each in claimed] == ["smtp:[after]"] * 2


async def test_an_expired_message_that_is_requeued_stays_expired(bench, new, clock):
    message = await bench.accept(new())
    await bench.settle(message, due=clock.now() + 4000)
    await bench.store.requeue([message.key], now=clock.now())
    assert await bench.store.expire([message.key]) == [message.key]
    (claimed,) = await bench.store.claim(now=clock.now(), most=9)
    del claimed.attributes["expired"]
    await bench.settle(claimed, due=clock.now())
    (claimed,) = await bench.store.claim(now=clock.now(), most=9)
    assert claimed.attributes["expired"]


async def test_an_expired_message_says_so_when_it_is_claimed(bench, new, clock):
    message = await bench.accept(new())
    assert await bench.store.expire([message.key]) == [message.key]
    assert await bench.store.expire([message.key]) == []
    await bench.settle(message, due=clock.now())
    (claimed,) = await bench.store.claim(now=clock.now(), most=9)
    assert claimed.attributes["expired"]


async def test_find_gives_what_it_is_asked_for_in_order_of_arrival(bench, new):
    messages = [await bench.accept(new(f"r{n}@x.test")) for n in range(4)]
    assert await keys(bench) == [m.key for m in messages]
    wanted = [messages[3].key, messages[1].key, 99]
    assert [m.key for m in await bench.store.find(wanted)] == [messages[1].key, messages[3].key]
    assert await bench.store.find([]) == []


async def test_hostile_addresses_are_data(bench, new):
    hostile = "'/**/; DROP TABLE message; --\x00\"@x.test"
    message = await bench.accept(new(hostile, sender=hostile))
    (found,) = await bench.store.find([message.key])
    assert found.sender == found.recipients[0].address == hostile


async def test_progress_survives_the_death_of_the_process_and_the_lease_stays(bench, new, clock):
    message = await bench.accept(new("done@example.net", "open@example.net"))
    message.recipients[0].done = True
    bench.store.progress(message)
    await bench.accept(new())  # the next batch is written
    assert message.key not in [m.key for m in await bench.store.claim(now=clock.now() + 1, most=10)]
    (found,) = await bench.store.find([message.key])
    assert [r.done for r in found.recipients] == [True, False]


async def test_progress_of_a_message_that_is_not_ours_changes_nothing(bench, new):
    message = new("a@example.net", "b@example.net")
    message.recipients[0].done = True
    bench.store.progress(message)
    assert await bench.store.count() == 0


# --- pages


async def pages(bench, which, most=2) -> list[int]:
    """Return the keys of all pages of a kind."""
    found, after = [], 0
    while part := await bench.store.page(which, after=after, most=most):
        assert len(part) <= most
        found += [message.key for message in part]
        after = found[-1]
    return found


@pytest.fixture
async def kinds(bench, new, clock) -> dict[str, list[int]]:
    """Messages of each kind, mixed, some of them older than others; and one that was deleted in its attempt."""
    made = {"active": [], "waiting": [], "held": [], "all": []}
    for number in range(10):
        message = new()
        message.held = number % 5 == 0
        await bench.accept(message)
        kind = "held" if message.held else "active"
        if number % 3 == 1 and not message.held:
            await bench.settle(message, due=clock.now() + 100)
            kind = "waiting"
        if number in (2, 4):
            await bench.store.hold([message.key])
            kind = "held"
        made[kind].append(message.key)
        made["all"].append(message.key)
    await bench.store.delete([(await bench.accept(new())).key])
    return made


@pytest.mark.parametrize("which", ["active", "waiting", "held", "all"])
@pytest.mark.parametrize("most", [1, 2, 7, 100])
async def test_pages_of_a_kind_are_all_of_it_in_order_of_arrival(bench, kinds, which, most):
    assert await pages(bench, which, most) == kinds[which]


async def test_a_page_begins_behind_a_key_that_need_not_be_there(bench, kinds):
    middle = kinds["all"][4]
    found = await bench.store.page("all", after=middle - 1, most=3)
    assert [m.key for m in found] == kinds["all"][4:7]
    found = await bench.store.page("all", after=middle + 1, most=3)
    assert [m.key for m in found] == kinds["all"][5:8]
    assert await bench.store.page("all", after=kinds["all"][-1], most=3) == []


async def test_a_page_has_messages_as_they_are_without_contents(bench, new, clock):
    message = await bench.accept(new("a@x.test", "b@x.test"))
    message.recipients[0].done, message.attempts = True, 4
    await bench.settle(message, due=clock.now() + 60)
    (found,) = await bench.store.page("waiting", after=0, most=9)
    assert (found.due, found.owner, found.attempts) == (clock.now() + 60, "", 4)
    assert [r.done for r in found.recipients] == [True, False]
    assert found.content is None


async def test_pages_are_the_same_after_a_crash_but_for_the_leases(bench, kinds):
    await bench.crash()
    assert await pages(bench, "all") == kinds["all"]
    assert await pages(bench, "held") == kinds["held"]


async def test_there_are_no_pages_of_another_kind(bench, new):
    await bench.accept(new())
    with pytest.raises(ValueError, match="deferred"):
        await bench.store.page("deferred", after=0, most=9)


async def test_leases_are_given_back_without_an_attempt(bench, new, clock):
    one, two, kept = [await bench.accept(new()) for _ in range(3)]
    assert sorted(await bench.store.delete([two.key])) == [two.key]
    await bench.store.give_back([one.key, two.key, 12345], now=clock.now())
    assert [m.key for m in await bench.store.claim(now=clock.now(), most=9)] == [one.key]
    assert await keys(bench) == [one.key, kept.key]
    with pytest.raises(LookupError):
        await bench.finish(two)
    await bench.finish(kept)
