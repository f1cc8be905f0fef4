import pytest

from postroad.base.params import settings_of
from postroad.model.params import params
from postroad.scheduler.retry import back_off


@pytest.mark.parametrize(
    ("age", "wait"), [(0, 1000), (999, 1000), (1500, 1500), (4000, 4000), (400000, 4000)]
)
def test_the_wait_is_the_age_between_the_two_bounds(age, wait):
    settings = settings_of([params], minimal_backoff_time="1000s", maximal_backoff_time="4000s")
    assert back_off(age, settings) == wait
