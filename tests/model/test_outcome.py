import pytest

from postroad.model.outcome import Fate, Outcome


@pytest.mark.parametrize(
    ("status", "fate"), [("2.0.0", Fate.DELIVERED), ("4.4.1", Fate.DEFERRED), ("5.1.1", Fate.BOUNCED)]
)
def test_the_status_is_the_fate(status, fate):
    assert Outcome(status, "x").fate is fate
