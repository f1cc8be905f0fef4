from postroad.delivery.smtp.lane import Lane


def played(lane, steps):
    """``+`` a job comes, ``-`` one ends, a number lets time pass; return whether connections are kept."""
    now = 1000.0
    for step in steps:
        if step == "+":
            lane.arrived(now)
        elif step == "-":
            lane.done(now)
        else:
            now += step
    return lane.keeps


def test_a_single_message_keeps_no_connection():
    assert not played(Lane("x"), ["+", 0.1, "-"])


def test_a_burst_keeps_no_connection():
    assert not played(Lane("x"), ["+", "+", "+", 0.1, "-", "-", "-"])


def test_mail_back_to_back_keeps_connections():
    assert played(Lane("x"), ["+", 0.1, "-", 0.5, "+"])


def test_kept_while_jobs_are_side_by_side():
    assert played(Lane("x"), ["+", "-", "+", 5, "+"])


def test_no_longer_kept_when_mail_comes_one_by_one():
    assert not played(Lane("x"), ["+", "-", "+", "-", 5, "+"])


def test_never_kept_when_not_on_demand():
    assert not played(Lane("x", on_demand=False), ["+", "-", "+"])


def test_a_listed_destination_is_always_kept():
    assert played(Lane("x", on_demand=False, always=True), ["+"])


def waiting(lane, seconds, *, busy):
    """Return how many messages may wait for ``busy`` connections to a server that is so fast."""
    played(lane, ["+", "-", "+"])
    lane.took(seconds)
    lane.active = busy
    while lane.has_room():
        lane.waiting.append(None)
    return len(lane.waiting)


def test_the_faster_the_server_the_more_messages_wait_for_each_busy_connection():
    assert waiting(Lane("x"), 0.001, busy=2) == 6
    assert waiting(Lane("x"), 0.01, busy=2) == 2
    assert waiting(Lane("x"), 0.5, busy=2) == 0


def test_messages_wait_only_while_mail_is_steady_and_the_pace_is_known():
    lane = Lane("x")
    lane.active = 1
    lane.arrived(0.0)
    assert not lane.has_room()
    lane.took(0.001)
    assert not lane.has_room()
    played(lane, ["+", "-", "+"])
    assert lane.has_room()


def test_a_server_that_becomes_slow_is_noticed():
    lane = Lane("x")
    waiting(lane, 0.001, busy=1)
    lane.waiting.clear()
    for _ in range(20):
        lane.took(0.5)
    assert not lane.has_room()


def test_a_lane_with_nothing_in_it_is_empty():
    lane = Lane("x")
    assert lane.empty
    lane.arrived(0.0)
    assert not lane.empty
    lane.done(0.0)
    assert lane.empty


def test_where_connections_are_for_one_message_no_mail_waits_for_them():
    lane = Lane("x")
    assert played(lane, ["+", "-", "+"])
    lane.keep(allowed=False)
    assert not played(lane, ["-", "+"])
    lane.keep(allowed=True)
    assert played(lane, ["-", "+"])


def test_a_retired_lane_keeps_nothing_and_gives_back_what_waited():
    class Idle:
        said = ""

        def quit(self):
            self.said = "QUIT"

    lane, idle, parcel = Lane("x", always=True), Idle(), object()
    lane.idle.append(idle)
    lane.waiting.append(parcel)
    assert lane.retire() == [parcel]
    assert idle.said == "QUIT"
    assert not lane.keeps
    assert not lane.idle
    assert not lane.waiting
    assert not played(lane, ["+", "-", "+"])
