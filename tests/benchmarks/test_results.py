import pytest
from benchmarks.results import Results


def made(**rates):
    runs = [
        {"cell": "relay-10k", "peer": peer, "round": number, "rate": rate, "flushes": None}
        for peer, values in rates.items()
        for number, rate in enumerate(values)
    ]
    return Results(runs=runs)


def test_the_median_is_of_the_rounds():
    assert made(postroad=[10.0, 30.0, 20.0]).median("relay-10k", "postroad", "rate") == 20


def test_a_ratio_is_one_of_medians():
    assert made(postroad=[60, 50, 70], postfix=[10, 9, 11]).ratio("relay-10k", "rate") == pytest.approx(6)


def test_what_was_not_measured_is_none():
    results = made(postroad=[1.0])
    assert results.ratio("relay-10k", "rate") is None
    assert results.median("relay-10k", "postroad", "flushes") is None
    assert results.median("other", "postroad", "rate") is None


def test_runs_that_failed_do_not_count():
    results = made(postroad=[1.0])
    results.runs.append({"cell": "relay-10k", "peer": "postroad", "round": 1, "error": "it broke"})
    assert results.values("relay-10k", "postroad", "rate") == [1.0]


def test_results_are_kept(tmp_path):
    results = made(postroad=[1.5])
    results.save(tmp_path / "new" / "results.json")
    assert Results.load(tmp_path / "new" / "results.json") == results


def test_what_is_measured_again_takes_the_place_of_what_was():
    former = Results(runs=[{"cell": "a", "rate": 1}, {"cell": "b", "rate": 2}], cells={"a": "A", "b": "B"})
    former.again(Results(runs=[{"cell": "b", "rate": 3}], cells={"b": "B"}))
    former.again(Results(runs=[{"cell": "c", "rate": 4}], cells={"c": "C"}))
    assert [(run["cell"], run["rate"]) for run in former.runs] == [("a", 1), ("b", 3), ("c", 4)]
    assert former.about["again"] == ["b", "c"]
    assert set(former.cells) == {"a", "b", "c"}
