import pytest

from postroad.scheduler.feedback import Law, Window, parse_feedback


def law(limit=20, initial=5, positive="1", negative="1", cohorts=1):
    return Law(limit, initial, parse_feedback(positive), parse_feedback(negative), cohorts)


@pytest.mark.parametrize(
    ("text", "window", "value"),
    [("1", 4, 1), ("0.5", 4, 0.5), ("1/concurrency", 4, 0.25), ("1 / sqrt_concurrency", 4, 0.5)],
)
def test_a_feedback_is_a_number_or_a_law_of_the_window(text, window, value):
    assert parse_feedback(text)(window) == value


@pytest.mark.parametrize("text", ["", "x", "2", "-1", "1/x"])
def test_a_bad_feedback_is_refused_in_words(text):
    with pytest.raises(ValueError, match="feedback"):
        parse_feedback(text)


def test_each_success_widens_the_window_while_it_is_used_and_never_over_the_limit():
    window = Window(law(limit=8))
    for _ in range(20):
        window.success(window.size)
    assert window.size == 8


def test_an_idle_destination_does_not_widen_its_window():
    window = Window(law())
    for _ in range(20):
        window.success(1)
    assert window.size == 6


def test_with_the_default_limit_one_failed_cohort_makes_the_site_dead():
    window = Window(law())
    failures = 0
    while not window.failure():
        failures += 1
    assert window.size == 0
    assert failures <= 5


def test_without_a_cohort_limit_failures_narrow_the_window_to_one_and_never_kill():
    window = Window(law(cohorts=0))
    for _ in range(30):
        assert not window.failure()
    assert window.size == 1


def test_a_success_forgives_the_failures_of_a_cohort():
    window = Window(law(negative="1/concurrency"))
    for _ in range(4):
        assert not window.failure()
    window.success(window.size)
    assert not window.failure()


def test_a_dead_site_begins_again_with_its_first_window():
    window = Window(law())
    while not window.failure():
        pass
    window.revive()
    assert window.size == 5


def test_a_reload_narrows_at_once():
    window = Window(law())
    window.obey(law(limit=2))
    assert window.size == 2
