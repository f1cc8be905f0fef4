import pytest
from benchmarks.goals import goals
from benchmarks.results import Results


def run(cell, peer, **values):
    return {"cell": cell, "peer": peer, "round": 0, **values}


def verdicts(*runs):
    return {goal.what: (goal.text, goal.verdict) for goal in goals(Results(runs=list(runs)))}


def test_nothing_is_claimed_that_was_not_measured():
    assert set(verdicts().values()) == {("not measured", "not measured")}


@pytest.mark.parametrize(("rate", "verdict"), [(600, "met"), (599, "**not met**")])
def test_throughput_is_met_at_its_bound(rate, verdict):
    found = verdicts(run("relay-10k", "postroad", rate=rate), run("relay-10k", "postfix", rate=100))
    assert found["Relay, 10 KiB, 50 sessions: throughput"] == (f"{rate / 100:.2f} x", verdict)


@pytest.mark.parametrize(("cpu", "verdict"), [(1.0, "met"), (1.1, "**not met**")])
def test_cpu_is_met_when_it_is_small_enough(cpu, verdict):
    found = verdicts(run("relay-10k", "postroad", cpu_ms=cpu), run("relay-10k", "postfix", cpu_ms=7.0))
    assert found["Relay, 10 KiB, 50 sessions: CPU a message"][1] == verdict


def test_accepting_is_measured_until_the_last_250():
    found = verdicts(
        run("accept-10k", "postroad", rate=1, accepted=500),
        run("accept-10k", "postfix", rate=1, accepted=100),
    )
    assert found["Accept only, 10 KiB: throughput"] == ("5.00 x", "met")


def test_memory_is_flat_when_large_messages_take_little_more():
    found = verdicts(
        run("relay-1m-200", "postroad", memory=140), run("relay-10k-200", "postroad", memory=100)
    )
    assert found["200 sessions of 1 MiB: peak memory"] == ("1.40 x", "met")


def test_a_deep_queue_is_compared_with_an_empty_one_of_the_same_rounds():
    found = verdicts(
        run("depth-0", "postroad", rate=100),
        run("depth-1000000", "postroad", rate=80, start=4.0, listing=2.0),
    )
    deep = "1,000,000 deferred messages in the queue"
    assert found[f"{deep}: throughput"] == ("0.80 x", "**not met**")
    assert found[f"{deep}: from start to first 250"] == ("4.00 s", "met")
    assert found[f"{deep}: `postqueue -p \\| head`"][1] == "**not met**"
