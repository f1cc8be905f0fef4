import itertools

from benchmarks.results import Results
from benchmarks.scenarios import chosen

from benchmarks import document

FIGURES = {
    "messages": 100,
    "rate": 1000.0,
    "accepted": 1100.0,
    "cpu_ms": 0.2,
    "memory": 1 << 26,
    "resident": 1 << 27,
    "processes": 3,
    "flushes": 0.1,
    "others": 0.02,
}


def results():
    cells, _ = chosen("", quick=False)
    found = Results(
        about={"date": "2026-01-02", "rounds": 3, "minutes": 30.0},
        machine={"Kernel": "6.1"},
        peers={
            name: {
                "title": name.title(),
                "version": "1.0",
                "before_250": "Synced.",
                "settings": f"{name} = yes",
            }
            for name in ("postroad", "postfix", "haraka")
        },
        cells={cell.name: cell.what for cell in cells},
    )
    for cell in cells:
        for peer in cell.peers:
            found.runs.append({"cell": cell.name, "peer": peer, "round": 0, **FIGURES})
    found.runs[-1] |= {"start": 1.0, "listing": 0.2}
    found.filling.append({"cell": "depth-10000", "peer": "postroad", "seconds": 9.0, "bytes": 5_000_000})
    found.latency.append(
        {
            "peer": "postfix",
            "share": 0.1,
            "full": 900.0,
            "rate": 90.0,
            "messages": 900,
            "p50": 1.0,
            "p99": 9.0,
            "most": 20.0,
        }
    )
    found.idle.append(
        {"peer": "postroad", "connections": 10000, "bytes": 9000.0, "memory": 1 << 27, "cpu_ms": 0.1}
    )
    found.traces["postfix"] = {"lines": ["fsync incoming/AB"], "proved": True, "calls": {"fsync": 1.0}}
    return found


def test_the_document_has_a_row_for_each_cell_and_server():
    text = document.text(results(), [("CPU", "cpu.svg")])
    for cell in chosen("relay,accept,lmtp", quick=False)[0]:
        for peer in ("Postroad", "Postfix", "Haraka"):
            assert f"| {cell.what}: **{peer}** | 1,000 |" in text
    assert "| 1,000,000 messages: **Postroad** | 1,000 |" in text
    assert "![CPU](benchmarks/cpu.svg)" in text
    assert "fsync 1.00" in text
    assert "| **Postfix** at 10% of 900/s | 90 |" in text
    assert "| **Postroad** | 10,000 | 9,000 |" in text
    assert "postroad = yes" in text
    assert "haraka = yes" in text
    assert "postfix = yes" not in text, "it has the same settings, and they are shown once"


def test_every_row_of_a_table_has_as_many_columns_as_its_head():
    lines = document.text(results(), []).replace("\\|", "").splitlines()
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count("|") == line.count("|"), line


def test_what_was_not_measured_has_no_section():
    text = document.text(Results(about={"date": "2026-01-02"}), [])
    for title in (
        "## Loads",
        "## A deep queue",
        "## Idle",
        "## Synced",
        "## From the",
        "## Plots",
        "## Runs",
    ):
        assert title not in text
    assert "| not measured | not measured |" in text


def test_failures_are_told():
    found = results()
    found.runs.append({"cell": "relay-1k", "peer": "haraka", "round": 2, "error": "it did not start"})
    assert "- relay-1k, haraka, round 3: it did not start" in document.text(found, [])


def test_the_document_is_written_with_plots_or_where_there_is_no_matplotlib_without(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    document.write(results(), tmp_path)
    assert (tmp_path / "benchmarks.md").read_text().startswith("# Benchmarks")


def test_cells_of_a_later_run_are_named():
    found = document.text(Results(about={"date": "2026-01-02", "again": ["relay-1k"]}), [])
    assert "`relay-1k`" in found
    assert "Measured again" in found
    assert "Measured again" not in document.text(Results(about={"date": "2026-01-02"}), [])
