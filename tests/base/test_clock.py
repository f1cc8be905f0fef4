from postroad.base.clock import SystemClock, TestClock


def test_the_test_clock_moves_only_when_it_is_moved():
    clock = TestClock(100.0)
    assert (clock.now(), clock.steady()) == (100.0, 100.0)
    clock.advance(5)
    assert (clock.now(), clock.steady()) == (105.0, 105.0)


def test_the_system_clock_does_not_go_back():
    clock = SystemClock()
    assert clock.steady() <= clock.steady()
    assert clock.now() > 1_700_000_000
