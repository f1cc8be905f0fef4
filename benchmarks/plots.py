"""The plots of the document, as SVG files beside it."""

from pathlib import Path

from benchmarks.results import Results

COLOURS = {"postroad": "#1f6f8b", "postfix": "#e07a3f", "haraka": "#8a8a8a"}
PLOTS = (
    ("throughput", "Messages a second, end to end", "rate", 1.0),
    ("cpu", "CPU of the server, ms a message", "cpu_ms", 1.0),
    ("memory", "Peak memory (PSS), MiB", "memory", 1 / 1024 / 1024),
    ("flushes", "Flushes of the device a message", "flushes", 1.0),
)


def draw(results: Results, directory: Path) -> list[tuple[str, str]]:
    """Write a plot of each kind; return their titles and file names.  Nothing without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
    except ImportError:
        print("bench: matplotlib is not installed (pip install '.[bench]'): no plots", flush=True)
        return []
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "postroad", "font.size": 8, "svg.fonttype": "none"})
    directory.mkdir(parents=True, exist_ok=True)
    measured = {name for run in results.runs for name, value in run.items() if value}
    return [_plot(results, directory, *plot) for plot in PLOTS if plot[2] in measured]


def _plot(
    results: Results, directory: Path, name: str, title: str, field: str, scale: float
) -> tuple[str, str]:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    cells = [cell for cell in results.cells if any(results.values(cell, peer, field) for peer in COLOURS)]
    peers = [peer for peer in COLOURS if peer in results.peers]
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.42 * max(1, len(cells))), layout="constrained")
    thick = 0.8 / max(1, len(peers))
    for index, peer in enumerate(peers):
        values = [(results.median(cell, peer, field) or 0.0) * scale for cell in cells]
        places = [row + (index - (len(peers) - 1) / 2) * thick for row in range(len(cells))]
        bars = axes.barh(places, values, thick, label=results.peers[peer]["title"], color=COLOURS[peer])
        axes.bar_label(bars, [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" if value else "" for value in values], padding=2, fontsize=6)  # fmt: skip  # noqa: E501
    axes.set_yticks(range(len(cells)), cells)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_title(f"{title} (logarithmic)")
    figure.legend(loc="outside lower center", ncols=len(peers), fontsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    path = directory / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return title, path.name
