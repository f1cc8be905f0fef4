from postroad.delivery.smtp.lane import Lane


def played(lane, steps, *, on_demand=True):
    """``+`` a job comes, ``-`` one ends, a number lets time pass; return whether connections are kept."""
    now = 1000.0
    for step in steps:
        if step == "+":
            lane.arrived(now, on_demand=on_demand)
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
    assert not played(Lane("x"), ["+", "-", "+"], on_demand=False)


def test_a_listed_destination_is_always_kept():
    assert played(Lane("x", always=True), ["+"], on_demand=False)


def test_only_steady_mail_to_a_fast_server_is_quick():
    lane = Lane("x")
    assert not lane.quick
    lane.took(0.001)
    assert not lane.quick
    played(lane, ["+", "-", "+"])
    assert lane.quick
    for _ in range(20):
        lane.took(0.5)
    assert not lane.quick


def test_a_lane_with_nothing_in_it_is_empty():
    lane = Lane("x")
    assert lane.empty
    lane.arrived(0.0, on_demand=True)
    assert not lane.empty
    lane.done(0.0)
    assert lane.empty
