from __future__ import annotations

from postroad.base.log import Event
from postroad.listener import screen_events as events
from postroad.proto.postscreen import Notice

PLACES = {
    Notice.BARE_NEWLINE: 1,
    Notice.PIPELINING: 2,
    Notice.NON_SMTP: 3,
    Notice.COUNT_LIMIT: 1,
    Notice.LENGTH_LIMIT: 1,
    Notice.TIME_LIMIT: 1,
    Notice.REFUSED: 5,
}


def test_each_notice_has_its_line_with_the_clients_place_and_its_values():
    assert {what: event.text.count("%s") - 1 for what, event in events.NOTICES.items()} == PLACES
    assert set(PLACES) | {Notice.WITHOUT_RCPT} == set(Notice)


def test_each_event_is_described():
    found = [each for each in vars(events).values() if isinstance(each, Event)]
    for event in (*found, *events.NOTICES.values()):
        assert event.doc.endswith(".")
        assert event.program in ("postscreen", "dnsblog", "tlsproxy")
