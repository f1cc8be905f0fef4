"""Replies that are looked up, a line at a time, before they count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.message import Message, Recipient
from postroad.proto.client_filtered import FilteredParser, FilteredSession
from postroad.proto.client_stages import CLOSED, Event
from postroad.proto.client_values import Dispatch, Manners, Peer, Terms
from postroad.proto.replies import REPLY_LIMIT, GarbledReply

EHLO = b"250-there\r\n250 PIPELINING\r\n"


def drive(session, replaced):
    """Answer what is asked from a dictionary; return the other events."""
    events = []
    while (event := session.next_event()) is not Event.WAIT:
        if event is Event.FILTER:
            session.filtered(replaced.get(session.question))
        else:
            events.append(event)
    return events


def ready(*, ehlo=EHLO, **replaced):
    session = FilteredSession(Manners("me.example", str), Peer("there", "192.0.2.1", 25))
    session.feed(b"220 there\r\n")
    assert drive(session, replaced) == []
    session.take()
    session.feed(ehlo)
    assert drive(session, replaced) == [Event.READY]
    return session


def dispatch():
    recipients = [Recipient("b@y")]
    return Dispatch(Message(1, "a@x", recipients, 0.0), recipients, 10)


@given(st.lists(st.integers(0, 120)))
def test_how_the_bytes_are_cut_never_matters(cuts):
    replaced = {"550 5.1.1 no such": "250 2.1.5 well", "250 2.0.0 kept": "452 4.2.2 full"}
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    data = b"250 Ok\r\n550 5.1.1 no such\r\n354-x\r\n354 go\r\n"
    events, start = [], 0
    for cut in [*sorted(c for c in cuts if c < len(data)), len(data)]:
        session.feed(data[start:cut])
        start = cut
        events += drive(session, replaced)
    assert events == [Event.CONTENT]
    session.content_sent()
    session.feed(b"250 2.0.0 kept\r\n")
    assert drive(session, replaced) == [Event.FINISHED]
    (outcome,) = parcel.outcomes
    assert outcome.status == "4.2.2"
    assert outcome.text == "host there[192.0.2.1] said: 452 4.2.2 full (in reply to end of DATA command)"


def test_the_last_line_says_what_a_reply_is():
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    session.feed(b"250 Ok\r\n550-first\r\n550 5.1.1 second\r\n554 none\r\n")
    assert drive(session, {"550 5.1.1 second": "450 4.1.1 later"}) == [Event.FINISHED]
    assert parcel.outcomes[0].status == "4.1.1"
    assert "550-first 450 4.1.1 later" in parcel.outcomes[0].text


def test_garbage_can_be_made_a_line_of_a_reply():
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    session.feed(b"blah\r\n250 Ok\r\n250 Ok\r\n354 go\r\n")
    assert drive(session, {"blah": "250-filler"}) == [Event.CONTENT]


def test_features_can_be_taken_away():
    session = ready(ehlo=b"250-there\r\n250-PIPELINING\r\n250 DSN\r\n", **{"250-PIPELINING": "250-x"})
    assert not session.features.pipelining
    assert session.features.dsn


def test_one_line_is_asked_about_at_a_time():
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    session.feed(b"250 Ok\r\n250 two\r\n")
    assert session.next_event() is Event.FILTER
    assert session.question == "250 Ok"
    session.feed(b"354 go\r\n")
    assert session.next_event() is Event.WAIT
    session.filtered(None)
    assert session.next_event() is Event.FILTER
    assert session.question == "250 two"


def test_a_question_is_printable_and_has_a_limit():
    session = FilteredSession(Manners("me", str, reply_limit=30), Peer("there", "192.0.2.1", 25))
    session.feed(b"220 \x07\xff" + b"x" * 100 + b"\r\n")
    assert session.next_event() is Event.FILTER
    assert session.question == "220 ??" + "x" * 24
    session.filtered("550 no\r\n220 yes")
    assert session.next_event() is Event.REFUSED
    assert session.failure.text.endswith("refused to talk to me: 550 no 220 yes")


def test_a_filter_that_cannot_be_asked_leaves_the_mail():
    text = "local data error while talking to there[192.0.2.1]"
    session = FilteredSession(Manners("me", str), Peer("there", "192.0.2.1", 25))
    session.feed(b"220 there\r\n")
    assert session.next_event() is Event.FILTER
    assert session.unfiltered() is Event.REFUSED
    assert (session.failure.status, session.failure.text) == ("4.3.0", text)

    session, parcel = ready(), dispatch()
    session.begin(parcel)
    session.feed(b"250 Ok\r\n250 Ok\r\n354 go\r\n")
    assert session.next_event() is Event.FILTER
    assert session.unfiltered() is Event.FINISHED
    assert [(each.status, each.text) for each in parcel.outcomes] == [("4.3.0", text)]
    assert session.stage is CLOSED
    assert session.next_event() is Event.WAIT

    session = ready()
    session.feed(b"421 bye\r\n")
    assert session.next_event() is Event.FILTER
    assert session.unfiltered() is Event.BROKEN


def test_what_is_said_out_of_turn_is_noticed_before_it_is_looked_up():
    session = FilteredSession(Manners("me", str), Peer("there", "192.0.2.1", 25))
    session.feed(b"220 there\r\n250 early\r\n")
    assert drive(session, {})[0] is Event.REFUSED


def test_what_stands_behind_starttls_is_not_taken_over():
    terms = Terms(tls=True, required=True)
    session = FilteredSession(Manners("me", str), Peer("there", "192.0.2.1", 25), terms=terms)
    session.feed(b"220 there\r\n")
    drive(session, {})
    session.feed(b"250-there\r\n250 STARTTLS\r\n")
    drive(session, {})
    session.feed(b"220 go\r\n250 inj")
    assert drive(session, {})[0] is Event.REFUSED

    session = FilteredSession(Manners("me", str), Peer("there", "192.0.2.1", 25), terms=terms)
    for data, events in ((b"220 there\r\n", []), (b"250-there\r\n250 STARTTLS\r\n", []), (b"220 go\r\n", [Event.START_TLS])):  # fmt: skip
        session.feed(data)
        assert drive(session, {}) == events
    session.secured(verified=True)
    session.feed(b"250-there\r\n250 PIPELINING\r\n")
    assert drive(session, {"250 PIPELINING": "250 DSN"}) == [Event.READY]
    assert session.features.dsn


def test_a_line_or_a_flood_without_end_is_given_up():
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    session.feed(b"250 " + b"x" * REPLY_LIMIT)
    assert session.next_event() is Event.FINISHED
    assert parcel.outcomes[0].status == "4.5.0"

    parser = FilteredParser()
    parser.feed(b"250 Ok\r\n")
    assert parser.ask()
    for _ in range(40):
        parser.feed(b"250 Ok\r\n" * 8192)
    assert len(parser._raw) <= 16 * REPLY_LIMIT + 1
    parser.answer(None)
    assert parser.next().code == 250
    with pytest.raises(GarbledReply):
        parser.ask()


def test_a_reply_that_the_filter_never_ends_has_a_limit():
    session, parcel = ready(), dispatch()
    session.begin(parcel)
    replaced = {"250 Ok": "250-" + "x" * 1000}
    events = []
    for _ in range(REPLY_LIMIT // 1000 + 2):
        session.feed(b"250 Ok\r\n")
        events += drive(session, replaced)
    assert events[0] is Event.FINISHED
    assert parcel.outcomes[0].status == "4.5.0"
