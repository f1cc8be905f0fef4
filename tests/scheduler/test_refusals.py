import pytest

from postroad.model.outcome import Outcome
from postroad.scheduler.refusals import suspended, unroutable


def test_what_cannot_be_routed_is_kept_and_says_why():
    assert (unroutable(None).status, unroutable(None).text) == ("4.3.0", "address resolver failure")
    assert unroutable(OSError("no disk")).text == "address resolver failure: no disk"


@pytest.mark.parametrize(("status", "told"), [("4.4.1", "4.4.1"), ("5.7.1", "4.7.1")])
def test_a_dead_destination_defers_with_its_own_reason_and_the_words_of_its_host(status, told):
    outcome = suspended(Outcome(status, "refused to talk", "h[1]:25", remote="h", reply="554 no"))
    assert (outcome.status, outcome.relay) == (told, "none")
    assert outcome.text == "delivery temporarily suspended: refused to talk"
    assert (outcome.remote, outcome.reply) == ("h", "554 no")
