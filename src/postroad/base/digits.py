"""Times as Postfix's log has them: what matters and no more."""

from __future__ import annotations


def significant(value: float, digits: int) -> str:
    """Return a time with two significant digits, at most ``digits`` behind the point: 0.05, 1.3, 12, 0."""
    if value >= 10 or digits == 0:
        return f"{value:.0f}"
    if value >= 1:
        text = f"{value:.1f}"
    else:
        places = 2
        while places < digits and value * 10**places < 10:
            places += 1
        text = f"{value:.{min(places, digits)}f}"
    return text.rstrip("0").rstrip(".") or "0"
