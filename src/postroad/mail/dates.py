"""Dates as header fields have them."""

from __future__ import annotations

from datetime import UTC, datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc5322(when: float) -> str:
    """Return ``Mon, 23 Nov 2026 06:00:01 +0000 (UTC)`` for seconds since 1970, in the local time zone.

    English whatever the locale is (RFC 5322 3.3), and with the day padded by a blank as Postfix has it.
    """
    local = datetime.fromtimestamp(when, UTC).astimezone()
    offset = local.strftime("%z")[:5]
    zone = local.tzname()
    text = (
        f"{_DAYS[local.weekday()]}, {local.day:2} {_MONTHS[local.month - 1]} {local.year:04}"
        f" {local.hour:02}:{local.minute:02}:{local.second:02} {offset}"
    )
    return f"{text} ({zone})" if zone and zone.isalnum() else text


class DateClock:
    """Remembers the text of the second it was last asked for: there are many messages in one second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, when: float) -> str:
        """Return ``rfc5322(when)``, whole seconds."""
        second = int(when)
        if second != self._second:
            self._text = rfc5322(second)
            self._second = second
        return self._text
