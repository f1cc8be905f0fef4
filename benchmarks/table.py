"""Markdown tables, and numbers as a reader wants them."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all columns but the first are aligned to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def significant(value: float | None) -> str:
    """Return three digits that say something."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def spread(values: Sequence[float]) -> str:
    """Return the median and, in brackets, the least and the most."""
    if not values:
        return "-"
    ordered = sorted(values)
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return number(middle) if len(ordered) == 1 else f"{middle:,.0f} ({ordered[0]:,.0f}-{ordered[-1]:,.0f})"


def mebibytes(value: float | None) -> str:
    return "-" if value is None else significant(value / 1024 / 1024)
