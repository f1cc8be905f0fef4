from __future__ import annotations

from postroad.base.log import ListSink, Log
from postroad.listener.strain import Strain


def test_stress_begins_at_nine_tenths_and_ends_at_seven():
    sink = ListSink()
    strain = Strain(20, Log(sink, pid=1))
    seen = []
    for number in (17, 18, 19, 18, 15, 14, 17, 18, 0):
        strain.measure(number)
        seen.append(bool(strain))
    assert seen == [False, True, True, True, True, False, False, True, False]
    assert sink.lines == [
        "postscreen: entering STRESS mode with 18 connections",
        "postscreen: leaving STRESS mode with 14 connections",
        "postscreen: entering STRESS mode with 18 connections",
        "postscreen: leaving STRESS mode with 0 connections",
    ]
