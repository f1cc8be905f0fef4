"""Who sends much delays nobody else: bulk of 100,000 messages, and single messages beside it.

Time is simulated: a delivery takes as long as the test says, so the waits are those of the scheduler.
"""

import pytest

from load.simulation import World

BULK = 100_000
SLOW, FAST = 5.0, 0.1  # seconds of a delivery


def singles(world, begin, sender="ann@b", domain="fast", times=20, every=50.0):
    """Plan single messages at intervals; returns their addresses."""
    addresses = [f"single{number}@{domain}" for number in range(times)]
    for number, address in enumerate(addresses):
        world.at(begin + number * every, world.send, sender, address)
    return addresses


def bulk(world, sender=lambda _number: "bulk@a", domain=lambda _number: "slow", messages=BULK):
    for number in range(messages):
        world.send(sender(number), f"b{number}@{domain(number)}")


SENDERS = {
    "one sender": lambda _number: "bulk@a",
    "a list": lambda number: f"list-bounces+user{number}=d.example@a",
    "many senders": lambda number: f"s{number}@a",
}


@pytest.mark.parametrize(
    ("name", "single"),
    [("one sender", "ann@b"), ("one sender", "bulk@a"), ("a list", "ann@b"), ("many senders", "s1@a")],
)
async def test_bulk_to_a_slow_destination_does_not_delay_mail_to_another(name, single):
    world = World({"slow": SLOW})
    bulk(world, SENDERS[name])
    waiting = singles(world, 1.0, sender=single)
    await world.run(until=1100)
    assert max(map(world.waited, waiting)) == pytest.approx(FAST)
    assert world.most_active <= 20_000
    assert sum(address.endswith("@slow") for address in world.delivered) > 4000  # and the bulk goes on


@pytest.mark.parametrize("name", ["one sender", "a list"])
async def test_small_mail_passes_the_bulk_of_another_sender_to_the_same_destination(name):
    world = World({"slow": SLOW})
    bulk(world, SENDERS[name])
    waiting = singles(world, 100.0, domain="slow")
    await world.run(until=1100)
    assert max(map(world.waited, waiting)) <= 2 * SLOW  # the next place, and its own delivery


async def test_two_who_send_much_to_one_destination_have_equal_shares():
    world = World({"slow": SLOW})
    bulk(world)
    for number in range(30_000):
        world.send("other@c", f"o{number}@slow")
    await world.run(until=10_000)
    shares = [sum(address.startswith(letter) for address in world.delivered) for letter in "bo"]
    assert min(shares) > 0.95 * max(shares)
    assert sum(shares) > 38_000


async def test_bulk_to_many_destinations_that_uses_all_processes_lets_others_pass():
    world = World({}, other=SLOW, processes=100)
    bulk(world, domain=lambda number: f"d{number % 20_000}")
    waiting = singles(world, 1.0)
    await world.run(until=1100)
    assert max(map(world.waited, waiting)) <= 2 * SLOW  # the next place, and its own delivery


async def test_one_message_to_very_many_recipients_delays_nobody():
    world = World({"slow": SLOW})
    world.send("bulk@a", *(f"b{number}@slow" for number in range(50_000)))
    waiting = singles(world, 1.0)
    neighbours = [f"n{number}@slow" for number in range(20)]
    for number, address in enumerate(neighbours):
        world.at(100 + 10.0 * number, world.send, "ann@b", address)
    await world.run(until=1100)
    assert max(map(world.waited, waiting)) == pytest.approx(FAST)
    assert max(map(world.waited, neighbours)) <= 2 * SLOW


async def test_every_message_is_delivered_once_in_its_senders_order_and_the_memory_is_bounded():
    world = World({"slow": 0.5}, qmgr_message_active_limit="2000")
    bulk(world)
    assert len(world.scheduler) <= 2000
    await world.run()
    assert len(world.delivered) == BULK
    assert not world.queue.queued
    assert world.queue.found >= BULK - 2000
    assert list(world.delivered) == [f"b{number}@slow" for number in range(BULK)]
    assert not world.lanes.flows
    assert not world.lanes.lanes["slow"].parked


async def test_a_message_to_a_full_and_a_free_destination_is_delivered_to_the_free_one_at_once():
    world = World({"slow": SLOW}, qmgr_message_active_limit="100")
    bulk(world, messages=1000)
    for number in range(300):
        world.at(number, world.send, "bulk@a", f"x{number}@slow", f"y{number}@fast")
    await world.run(until=400)
    assert max(world.waited(f"y{number}@fast") for number in range(300)) == pytest.approx(FAST)
    await world.run()
    assert len(world.delivered) == 1600
    assert not world.queue.queued
