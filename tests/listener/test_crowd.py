"""How many clients may be there."""

from __future__ import annotations

from listener.screens import PLACE, World

BUSY = "NOQUEUE: reject: CONNECT from [192.0.2.9]:4000: "


class Taken:
    def __init__(self, elsewhere):
        self.here, self._elsewhere = 0, elsewhere

    def change(self, by):
        self.here += by

    def elsewhere(self):
        return self._elsewhere


async def test_a_client_has_a_number_of_connections_and_gets_them_back(tmp_path):
    world = World(tmp_path, client_connection_count_limit="2")
    first, second = world.connect(), world.connect()
    third, other = world.connect(), world.connect(("192.0.2.10", 4000))
    assert (third.take(), third.closed) == (["421 4.7.0 Error: too many connections"], True)
    assert not other.closed
    assert f"{BUSY}too many connections" in world.log()
    for each in (first, second, third):
        each.lose()
    assert not world.connect().closed


async def test_one_who_has_passed_is_under_test_no_more(tmp_path):
    world = World(tmp_path, client_connection_count_limit="1")
    world.connect()
    await world.passed()
    assert not world.connect().closed


async def test_so_many_clients_are_tested_at_a_time_in_all_workers(tmp_path):
    taken = Taken(8)
    world = World(tmp_path, pre_queue_limit="10", taken=taken)
    first, second = world.connect(), world.connect()
    await world.settle(lambda: second.closed)
    assert second.take() == ["421 4.3.2 All screening ports are busy"]
    assert not first.closed
    assert f"reject: connect from {PLACE}: all screening ports busy" in world.log()
    second.lose()
    await world.passed()
    assert taken.here == 0


async def test_under_stress_the_tests_are_short(tmp_path):
    world = World(
        tmp_path,
        pre_queue_limit="20",
        pipelining_enable="yes",
        command_time_limit="${stress?{10}:{300}}s",
        strained={"stress": "yes"},
    )
    world.service.calm.greet_wait = 60
    assert world.service.command_time == 300
    clients = [world.connect(("192.0.2.9", port)) for port in range(18)]
    await world.settle(lambda: world.service.command_time == 10)
    assert "entering STRESS mode with 18 connections" in world.log()
    await world.greeted(clients[17])
    assert not any(b"\r\n220 " in each.written for each in clients[:17])
    for each in clients[:4]:
        each.lose()
    assert "leaving STRESS mode with 14 connections" in world.log()
    assert world.service.command_time == 300


async def test_however_low_the_limit_one_client_is_tested(tmp_path):
    world = World(tmp_path, pre_queue_limit="1")
    world.connect()
    await world.passed()


async def test_those_who_need_no_test_pass_while_the_others_wait(tmp_path):
    world = World(tmp_path, pre_queue_limit="10", taken=Taken(100), access_list="permit")
    world.connect()
    await world.passed()


async def test_while_too_many_wait_for_a_session_nobody_comes_in(tmp_path):
    world = World(tmp_path, post_queue_limit="10", access_list="permit")
    world.target.waiting = 10
    transport = world.connect()
    assert transport.take() == ["421 4.3.2 All server ports are busy"]
    assert f"{BUSY}all server ports busy" in world.log()
