from __future__ import annotations

import pytest

from postroad.base.log import Event
from postroad.proto.hooks import Notice
from postroad.smtpd import events

OWN = {Notice.LONG_LINE, Notice.TOO_MANY_ERRORS}


def test_each_notice_of_the_machine_has_its_line():
    assert set(events.NOTICES) | OWN == set(Notice)


@pytest.mark.parametrize("notice", events.NOTICES)
def test_each_line_has_as_many_places_as_values(notice):
    event, values = events.NOTICES[notice]
    assert event.text % tuple(values)


def test_each_event_is_described():
    for value in vars(events).values():
        if isinstance(value, Event):
            assert value.doc.endswith(".")
            assert value.program in ("smtpd", "pickup")
