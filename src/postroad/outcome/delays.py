"""``delay=`` and ``delays=`` of a delivery's log line, with Postfix's digits."""

from __future__ import annotations

from postroad.base.digits import significant

#: Most delays are short, and every line has five of them.
_BRIEF = 1.0
_SHORT = [significant(hundredths / 100, 2) for hundredths in range(101)]


def seconds(value: float, digits: int = 2) -> str:
    """Return a time with two significant digits, at most ``digits`` behind the point.

    Postfix prints 0.05, 1.3, 12, 3600 and 0: what matters and no more.
    """
    if value <= 0:
        return "0"
    if value < _BRIEF and digits == 2:
        return _SHORT[int(value * 100 + 0.5)]
    return significant(value, digits)


def fields(total: float, before: float, waited: float, setup: float, transfer: float, digits: int = 2) -> str:
    """Return ``delay=TOTAL, delays=BEFORE/WAITED/SETUP/TRANSFER``, each as ``seconds`` prints it."""
    if digits == 2 and total >= 0 and before >= 0 and waited >= 0 and setup >= 0 and transfer >= 0:
        try:
            return (
                f"delay={_SHORT[int(total * 100 + 0.5)]}, delays={_SHORT[int(before * 100 + 0.5)]}/"
                f"{_SHORT[int(waited * 100 + 0.5)]}/{_SHORT[int(setup * 100 + 0.5)]}/"
                f"{_SHORT[int(transfer * 100 + 0.5)]}"
            )
        except IndexError:
            pass  # one of them is over a second
    return (
        f"delay={seconds(total, digits)}, delays={seconds(before, digits)}/{seconds(waited, digits)}/"
        f"{seconds(setup, digits)}/{seconds(transfer, digits)}"
    )
