from __future__ import annotations

import pytest

from postroad.smtpd.given import Means, Neighbours

EVERY = {"connect", "helo", "mail", "recipient", "data", "end_of_data"}


class Policy:
    pass


class PolicyOfOneStage:
    stages = frozenset({"recipient"})


@pytest.mark.parametrize(
    ("policy", "stages"), [(None, set()), (Policy(), EVERY), (PolicyOfOneStage(), {"recipient"})]
)
def test_a_policy_is_asked_where_it_can_have_something_to_say(policy, stages):
    assert Neighbours(intake=None, policy=policy).stages == stages


def test_without_anybody_to_ask_there_is_room_for_all():
    assert Neighbours(intake=None).has_space(1 << 60)


def test_processes_that_share_no_counters_count_for_themselves():
    rest = dict.fromkeys(("log", "clock", "wheel", "loop", "tables"))
    one, other = Means(**rest), Means(**rest)
    assert one.counters.sessions.enter("192.0.2.7") == 1
    assert other.counters.sessions.enter("192.0.2.7") == 1
