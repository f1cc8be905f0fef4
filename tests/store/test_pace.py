"""A batch waits where that gets more done."""

from postroad.store.pace import BUSY, ENOUGH, GATHER, REST, SPAN, Pace


class Load:
    """Spans of batches, so many changes in each, with and without waiting."""

    def __init__(self, alone, waiting):
        self.pace, self.now = Pace(), 1000.0
        self.alone, self.waiting = alone, waiting
        self.pace.delay(1, self.now)

    def spans(self, count):
        """Return in which of so many spans batches wait."""
        ways = []
        for _ in range(count):
            ways.append(self.pace.delay(1, self.now) == GATHER)
            self.pace.wrote(self.waiting if ways[-1] else self.alone)
            self.now += SPAN
        return ways


def test_where_waiting_gets_more_done_batches_wait_and_the_other_way_is_tried_seldom():
    ways = Load(alone=500, waiting=700).spans(500)
    assert ways.count(True) > 450
    assert False in ways[100:]


def test_where_waiting_gets_less_done_batches_wait_in_trials_only():
    ways = Load(alone=700, waiting=500).spans(500)
    assert ways.count(True) < 100
    assert 0 < ways[50:].count(True) <= 500 / REST


def test_where_little_is_done_nothing_waits():
    assert True not in Load(alone=BUSY - 1, waiting=BUSY * 10).spans(100)


def test_when_the_load_goes_waiting_ends_with_it():
    load = Load(alone=500, waiting=700)
    load.spans(30)
    load.alone = load.waiting = 3
    assert True not in load.spans(50)[1:]


def test_when_the_load_changes_the_way_does():
    load = Load(alone=500, waiting=700)
    load.spans(30)
    load.alone, load.waiting = 700, 500
    assert load.spans(100)[50:].count(True) <= 50 / REST


def test_a_large_batch_needs_no_company():
    load = Load(alone=500, waiting=700)
    load.spans(40)
    assert load.pace.waits
    assert load.pace.delay(ENOUGH, load.now - SPAN / 2) == 0
    assert load.pace.delay(ENOUGH - 1, load.now - SPAN / 2) == GATHER


def test_a_long_silence_counts_as_little():
    pace = Pace()
    pace.delay(1, 10.0)
    pace.wrote(1000)
    assert pace.delay(1, 10.0 + 3600) == 0.0
