import pytest

from postroad.proto.client import ClientSession
from postroad.proto.client_stages import CLOSED, Event
from postroad.proto.client_values import Manners, Peer


def talk(*replies, port=25, best=True, warnings=None, **manners):
    """Play a handshake; return the session, its last event and what it said."""
    session = ClientSession(
        Manners("me.example", str, hostname="me.example", **manners),
        Peer("there", "192.0.2.1", port, best, "dest.example"),
        [].append if warnings is None else warnings.append,
    )
    said = []
    event = Event.WAIT
    for reply in replies:
        session.feed(reply.encode() + b"\r\n")
        event = session.next_event()
        said.append(session.take().decode().strip())
    return session, event, said


def failure(*replies, **more):
    session, event, _ = talk(*replies, **more)
    assert event is Event.REFUSED
    return session.failure.status, session.failure.text


def test_ehlo_answers_the_greeting():
    session, event, said = talk("220 there", "250-there\r\n250 PIPELINING")
    assert said[0] == "EHLO me.example"
    assert event is Event.READY
    assert session.features.pipelining


def test_a_greeting_may_have_many_lines():
    _, _, said = talk("220-one\r\n220-two\r\n220 three")
    assert said == ["EHLO me.example"]


def test_helo_follows_a_refused_ehlo():
    session, event, said = talk("220 there", "502 what?", "250 there")
    assert said[:2] == ["EHLO me.example", "HELO me.example"]
    assert event is Event.READY
    assert not session.features.offers


@pytest.mark.parametrize(
    ("greeting", "manners", "verb"),
    [
        ("220 there ESMTP", {"always_ehlo": False}, "EHLO"),
        ("220 there esmtp x", {"always_ehlo": False}, "EHLO"),
        ("220 there SMTP", {"always_ehlo": False}, "HELO"),
        ("220 there ESMTP", {"never_ehlo": True}, "HELO"),
        ("220 there", {"lmtp": True}, "LHLO"),
        ("220", {}, "EHLO"),
    ],
)
def test_the_verb_is_the_one_configured(greeting, manners, verb):
    assert talk(greeting, **manners)[2] == [f"{verb} me.example"]


def test_features_of_a_helo_answer_do_not_count():
    session, event, _ = talk("220 there", "250-there\r\n250 PIPELINING", never_ehlo=True)
    assert event is Event.READY
    assert not session.features.pipelining


@pytest.mark.parametrize(
    ("replies", "manners", "status"),
    [
        (["421 4.3.2 busy"], {}, "4.3.2"),
        (["554 5.7.1 no"], {}, "4.7.1"),
        (["554 no"], {}, "4.0.0"),
        (["554 5.7.1 no"], {"skip_5xx_greeting": False}, "5.7.1"),
        (["220 there", "421 4.7.0 no"], {}, "4.7.0"),
        (["220 there", "500 no", "550 5.7.1 no"], {}, "5.7.1"),
        (["220 there", "550 5.7.1 no"], {"lmtp": True}, "5.7.1"),
    ],
)
def test_a_server_that_does_not_want_to_talk_says_why(replies, manners, status):
    found, text = failure(*replies, **manners)
    assert found == status
    assert text == f"host there[192.0.2.1] refused to talk to me: {replies[-1]}"


def test_a_greeting_of_the_wrong_kind_is_a_protocol_error():
    assert failure("354 go on") == ("5.5.0", "host there[192.0.2.1] refused to talk to me: 354 go on")


@pytest.mark.parametrize(
    "replies", [["220 a\r\n220 b"], ["220 a", "250 a\r\n250 b"], ["220 a", "502 no", "250 a\r\n2"]]
)
def test_a_server_that_talks_before_it_is_asked_is_given_up(replies):
    session, event, _ = talk(*replies)
    assert event is Event.REFUSED
    assert session.failure.status == "4.5.0"
    assert session.stage is CLOSED


@pytest.mark.parametrize(("best", "status"), [(True, "5.4.6"), (False, "4.4.6")])
def test_a_server_with_our_name_is_ourselves(best, status):
    warnings = []
    found = failure("220 ME.example", "250 Me.Example", best=best, warnings=warnings)
    assert found == (status, "mail for dest.example loops back to myself")
    assert warnings == [
        "host there[192.0.2.1]:25 greeted me with my own hostname me.example",
        "host there[192.0.2.1]:25 replied to HELO/EHLO with my own hostname me.example",
    ]


@pytest.mark.parametrize("more", [{"port": 10025}, {"lmtp": True}])
def test_a_content_filter_may_have_our_name(more):
    assert talk("220 me.example", "250 me.example", **more)[1] is Event.READY


def test_an_unreadable_size_limit_is_noted_and_ignored():
    warnings = []
    session, event, _ = talk("220 there", "250-there\r\n250 SIZE many", warnings=warnings)
    assert event is Event.READY
    assert (session.features.size, session.features.size_limit) == (True, 0)
    assert warnings == ['bad EHLO SIZE limit "many" from there[192.0.2.1]:25']


@pytest.mark.parametrize(("late", "text"), [(False, "lost connection with"), (True, "conversation with")])
def test_a_handshake_that_breaks_off_names_its_stage(late, text):
    session, _, _ = talk("220 there")
    assert session.fail(timed_out=late) is Event.REFUSED
    assert session.failure.text.startswith(f"{text} there[192.0.2.1]")
    assert session.failure.text.endswith("while performing the EHLO handshake")
