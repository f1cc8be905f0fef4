import pytest
from benchmarks.scenarios import BASE, LOADS, QUICK, chosen


def test_names_are_unique_and_the_quick_ones_exist():
    names = [cell.name for cell in LOADS]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)


def test_without_a_choice_everything_is_measured():
    cells, others = chosen("", quick=False)
    assert {cell.group for cell in cells} == {"relay", "accept", "local", "lmtp", "tls", "depth"}
    assert others == ["latency", "handshakes", "idle", "trace"]
    assert max(cell.depth for cell in cells) == 1_000_000


def test_quick_leaves_out_what_takes_long():
    cells, _ = chosen("", quick=True)
    assert max(cell.depth for cell in cells) == 10_000
    assert len(cells) < len(chosen("", quick=False)[0])


def test_groups_and_cells_are_chosen_by_name():
    cells, others = chosen("accept, relay-10k,trace", quick=False)
    assert [cell.name for cell in cells] == ["accept-1k", "accept-10k", "relay-10k"]
    assert others == ["trace"]


def test_a_cell_may_be_named_beside_quick():
    assert [cell.name for cell in chosen("relay-10k-1000", quick=True)[0]] == ["relay-10k-1000"]


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(SystemExit, match=r"nothing is called nonsense; there are .*relay-10k"):
        chosen("nonsense", quick=False)


def test_a_cell_says_what_it_is():
    assert BASE.what == "relay, 10 KiB, 50 sessions"
    single = next(cell for cell in LOADS if not cell.reuse)
    assert single.what == "relay, 10 KiB, 50 sessions, one message a connection"
    assert [c.what for c in chosen("depth-10000", quick=False)[0]] == [
        "relay, 10 KiB, 50 sessions, 10,000 deferred messages in the queue"
    ]


def test_postfix_is_spared_a_million():
    deep = {cell.name: cell.peers for cell in chosen("depth", quick=False)[0]}
    assert "postfix" in deep["depth-100000"]
    assert deep["depth-1000000"] == ("postroad",)
