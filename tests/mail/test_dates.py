import time

import pytest

from postroad.mail.dates import DateClock, rfc5322


@pytest.fixture
def zone(monkeypatch):
    def use(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield use
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "when", "expected"),
    [
        ("UTC", 1_795_413_601, "Mon, 23 Nov 2026 06:00:01 +0000 (UTC)"),
        ("UTC", 1_795_413_601.9, "Mon, 23 Nov 2026 06:00:01 +0000 (UTC)"),
        ("UTC", 0, "Thu,  1 Jan 1970 00:00:00 +0000 (UTC)"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", 1_795_413_601, "Mon, 23 Nov 2026 07:00:01 +0100 (CET)"),
        ("EST5", 1_795_413_601, "Mon, 23 Nov 2026 01:00:01 -0500 (EST)"),
        ("<+0530>-5:30", 1_795_413_601, "Mon, 23 Nov 2026 11:30:01 +0530"),
    ],
)
def test_dates_are_english_and_local(zone, name, when, expected):
    zone(name)
    assert rfc5322(when) == expected


def test_the_clock_gives_each_seconds_text(zone):
    zone("UTC")
    clock = DateClock()
    assert clock.text(59.2) == clock.text(59.9) == rfc5322(59)
    assert clock.text(60.0) == rfc5322(60)
    assert clock.text(59.0) == rfc5322(59)
