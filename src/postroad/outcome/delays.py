"""``delay=`` and ``delays=`` of a delivery's log line, with Postfix's digits."""

from __future__ import annotations


def seconds(value: float, digits: int = 2) -> str:
    """Return a time with two significant digits, at most ``digits`` behind the point.

    Postfix prints 0.05, 1.3, 12, 3600 and 0: what matters and no more.
    """
    if value >= 10 or digits == 0:
        return f"{value:.0f}"
    if value <= 0:
        return "0"
    if value >= 1:
        text = f"{value:.1f}"
    else:
        places = 2
        while places < digits and value * 10**places < 10:
            places += 1
        text = f"{value:.{min(places, digits)}f}"
    return text.rstrip("0").rstrip(".") or "0"
