import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.message import Message, Recipient
from postroad.proto.client import ClientSession
from postroad.proto.client_stages import BODY, CLOSED, IDLE, MAIL, RSET, VOID, Event
from postroad.proto.client_usual import UsualAnswers
from postroad.proto.client_values import Dispatch, Manners, Peer

FULL = "250-there\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8"
PLAIN = "250 there"
SENT = (Event.FINISHED, "2.0.0")


def session(ehlo=FULL, *, lmtp=False, warnings=None, usual=None, probe_data=False):
    made = ClientSession(
        Manners("me.example", str, lmtp=lmtp, probe_data=probe_data),
        Peer("there", "192.0.2.1", 25),
        (warnings if warnings is not None else []).append,
        usual,
    )
    made.feed(b"220 there\r\n")
    assert made.next_event() is Event.WAIT
    assert made.take() == (b"LHLO" if lmtp else b"EHLO") + b" me.example\r\n"
    made.feed(f"{ehlo}\r\n".encode())
    assert made.next_event() is Event.READY
    return made


def dispatch(*addresses, sender="a@x", size=10):
    recipients = [Recipient(a) for a in addresses or ("b@y",)]
    return Dispatch(Message(1, sender, recipients, 0.0), recipients, size)


def say(made, *replies):
    """Feed replies; return the events up to where more is needed."""
    made.feed("".join(f"{r}\r\n" for r in replies).encode())
    events = []
    while (event := made.next_event()) is not Event.WAIT:
        events.append(event)
    return events


def results(parcel):
    return [(o.status, o.text) for o in parcel.outcomes]


def test_the_envelope_goes_out_in_one_piece():
    made, parcel = session(), dispatch("b@y", "c@z")
    made.begin(parcel)
    assert made.take() == (
        b"MAIL FROM:<a@x> SIZE=10\r\n"
        b"RCPT TO:<b@y> ORCPT=rfc822;b@y\r\nRCPT TO:<c@z> ORCPT=rfc822;c@z\r\nDATA\r\n"
    )
    assert say(made, "250 Ok", "250 Ok", "250 Ok", "354 go") == [Event.CONTENT]
    made.content_sent()
    assert say(made, "250 2.0.0 queued") == [Event.FINISHED]
    assert made.finished is parcel
    assert results(parcel) == [("2.0.0", "250 2.0.0 queued")] * 2
    assert parcel.outcomes[0].notified
    assert made.idle


def test_without_pipelining_each_command_waits_for_its_answer():
    made, parcel = session(PLAIN), dispatch("b@y", "c@z")
    made.begin(parcel)
    for command, reply in [
        (b"MAIL FROM:<a@x>\r\n", "250 Ok"),
        (b"RCPT TO:<b@y>\r\n", "250 Ok"),
        (b"RCPT TO:<c@z>\r\n", "550 5.1.1 no"),
    ]:
        assert made.take() == command
        assert say(made, reply) == []
    assert made.take() == b"DATA\r\n"
    assert say(made, "354 go") == [Event.CONTENT]
    made.content_sent()
    assert say(made, "250 Ok") == [Event.FINISHED]
    assert [s for s, _ in results(parcel)] == ["2.0.0", "5.1.1"]
    assert not parcel.outcomes[0].notified


@pytest.mark.parametrize("ehlo", [FULL, PLAIN], ids=["pipelining", "one by one"])
def test_a_refused_sender_refuses_all(ehlo):
    made, parcel = session(ehlo), dispatch("b@y", "c@z")
    made.begin(parcel)
    replies = ["550 5.7.1 no"] + (["503 no"] * 3 if ehlo is FULL else [])
    assert say(made, *replies) == [Event.FINISHED]
    assert (
        results(parcel)
        == [("5.7.1", "host there[192.0.2.1] said: 550 5.7.1 no (in reply to MAIL FROM command)")] * 2
    )
    assert made.stage is RSET
    assert made.take().endswith(b"RSET\r\n")
    assert say(made, "250 Ok") == [Event.READY]
    assert made.idle


@pytest.mark.parametrize("ehlo", [FULL, PLAIN], ids=["pipelining", "one by one"])
def test_no_accepted_recipient_means_no_content(ehlo):
    made, parcel = session(ehlo), dispatch("b@y", "c@z")
    made.begin(parcel)
    replies = ["250 Ok", "550 5.1.1 no", "450 4.2.1 later"] + (["554 none"] if ehlo is FULL else [])
    assert say(made, *replies) == [Event.FINISHED]
    assert [s for s, _ in results(parcel)] == ["5.1.1", "4.2.1"]
    assert made.take().endswith(b"RSET\r\n")


def test_a_354_behind_refused_recipients_gets_a_lone_dot():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    made.take()
    assert say(made, "250 Ok", "550 5.1.1 no", "354 go") == [Event.FINISHED]
    assert made.take() == b".\r\n"
    assert made.stage is VOID
    assert results(parcel)[0][0] == "5.1.1"
    assert say(made, "554 5.5.1 no valid recipients") == [Event.READY]


def test_a_refused_data_refuses_whom_it_would_have_reached():
    made, parcel = session(), dispatch("b@y", "c@z")
    made.begin(parcel)
    assert say(made, "250 Ok", "550 5.1.1 no", "250 Ok", "451 4.3.0 later") == [Event.FINISHED]
    assert [s for s, _ in results(parcel)] == ["5.1.1", "4.3.0"]


def test_a_refused_content_refuses_whom_it_would_have_reached():
    made, parcel = session(), dispatch("b@y", "c@z")
    made.begin(parcel)
    say(made, "250 Ok", "550 5.1.1 no", "250 Ok", "354 go")
    made.content_sent()
    assert say(made, "554 5.6.0 spam") == [Event.FINISHED]
    assert results(parcel)[1][1].endswith("(in reply to end of DATA command)")
    assert [s for s, _ in results(parcel)] == ["5.1.1", "5.6.0"]
    assert made.idle


def test_lmtp_has_a_final_answer_for_each_accepted_recipient():
    made, parcel = session(FULL, lmtp=True), dispatch("b@y", "c@z", "d@z")
    made.begin(parcel)
    say(made, "250 Ok", "250 Ok", "550 5.1.1 no", "250 Ok", "354 go")
    made.content_sent()
    assert say(made, "250 2.1.5 one") == []
    assert say(made, "552 5.2.2 full") == [Event.FINISHED]
    assert [s for s, _ in results(parcel)] == ["2.1.5", "5.1.1", "5.2.2"]


@pytest.mark.parametrize(
    ("reply", "said", "prefix"),
    [("250 Ok", "DATA", "Protocol error: "), ("354 go", "MAIL", ""), ("199 hm", "RCPT", "")],
)
def test_an_answer_of_the_wrong_kind_is_a_protocol_error_of_that_command(reply, said, prefix):
    """One command at a time there is no doubt whose answer it is."""
    made, parcel = session(PLAIN), dispatch()
    made.begin(parcel)
    before = {"MAIL": [], "RCPT": ["250 Ok"], "DATA": ["250 Ok", "250 Ok"]}[said]
    for earlier in before:
        assert say(made, earlier) == []
    assert say(made, reply) == [Event.FINISHED]
    assert results(parcel)[0][0] == "5.5.0"
    assert results(parcel)[0][1].startswith(
        f"{prefix}host there[192.0.2.1] said: {reply} (in reply to {said}"
    )


@pytest.mark.parametrize(
    "replies",
    [
        ["354 go"],
        ["250 Ok", "354 go"],
        ["250 Ok", "250 Ok", "250 Ok"],
        ["250 Ok", "250 Ok", "200 hm"],
        ["250 Ok", "hello", "250 Ok", "354 go"],
        ["250 Ok", "250 Ok", "354 go", "250 queued"],
    ],
)
def test_answers_out_of_step_end_the_conversation_without_a_bounce(replies):
    warnings = []
    made, parcel = session(warnings=warnings), dispatch()
    made.begin(parcel)
    events = say(made, *replies)
    assert events[0] is Event.FINISHED
    assert set(events[1:]) <= {Event.BROKEN}
    assert results(parcel)[0][0] == "4.5.0"
    assert parcel.site_failure is parcel.outcomes[0]
    assert made.stage is CLOSED
    assert len(warnings) == 1


def test_a_yes_to_half_a_content_delivers_nothing():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    say(made, "250 Ok", "250 Ok", "354 go")
    assert say(made, "250 Ok: queued") == [Event.FINISHED]
    assert results(parcel)[0][0] == "4.5.0"


def test_a_no_to_half_a_content_counts():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    say(made, "250 Ok", "250 Ok", "354 go")
    assert say(made, "552 5.3.4 too much") == [Event.FINISHED]
    assert results(parcel)[0][0] == "5.3.4"
    assert made.stage is CLOSED


def test_one_answer_too_many_ends_the_conversation_behind_the_message():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    say(made, "250 Ok", "250 Ok", "354 go")
    made.content_sent()
    assert say(made, "250 2.0.0 queued", "250 what?") == [Event.FINISHED, Event.BROKEN]
    assert results(parcel)[0][0] == "2.0.0"
    assert not made.idle


def test_an_idle_server_that_speaks_is_done_with():
    made = session()
    assert say(made, "421 4.4.2 timeout") == [Event.BROKEN]


def test_what_a_dead_connection_was_to_carry_is_untouched():
    made = session()
    made.begin(dispatch())
    say(made, "250 Ok", "250 Ok", "354 go")
    made.content_sent()
    say(made, "250 Ok")
    parcel = dispatch()
    made.begin(parcel)
    assert made.fail() is Event.FINISHED
    assert parcel.untouched


@pytest.mark.parametrize("reply", ["421 4.4.2 timeout"])
def test_a_kept_connection_that_is_just_closed_is_untouched_too(reply):
    made = session()
    made.carried = 1
    parcel = dispatch()
    made.begin(parcel)
    assert say(made, reply) == [Event.FINISHED]
    assert parcel.untouched


def test_a_fresh_connection_that_is_lost_is_a_failure():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    assert made.fail() is Event.FINISHED
    assert not parcel.untouched
    assert results(parcel) == [("4.4.2", "lost connection with there[192.0.2.1] while sending MAIL FROM")]


def test_a_content_that_cannot_be_read_has_a_reason_of_ours():
    made, parcel = session(), dispatch()
    made.begin(parcel)
    say(made, "250 Ok", "250 Ok", "354 go")
    assert made.abandon("4.3.0", "local data error") is Event.FINISHED
    assert results(parcel) == [("4.3.0", "local data error")]
    assert made.stage is CLOSED


def test_a_message_too_large_is_not_even_tried():
    made, parcel = session(), dispatch(size=1001)
    made.begin(parcel)
    assert made.take() == b""
    assert made.next_event() is Event.FINISHED
    assert results(parcel) == [
        ("5.3.4", "message size 1001 exceeds size limit 1000 of server there[192.0.2.1]")
    ]
    assert made.idle


def test_an_address_in_utf8_needs_smtputf8():
    made, parcel = session(PLAIN), dispatch("grüße@y")
    made.begin(parcel)
    assert made.next_event() is Event.FINISHED
    assert results(parcel)[0][0] == "5.6.7"
    made, parcel = session(), dispatch("grüße@y")
    made.begin(parcel)
    assert (
        made.take().decode().startswith("MAIL FROM:<a@x> SIZE=10 SMTPUTF8\r\nRCPT TO:<grüße@y> ORCPT=utf-8;")
    )


def test_an_address_with_a_line_end_never_becomes_a_command():
    made, parcel = session(), dispatch("b@y", "c\r\nRSET@y", "d\0@y", "e\n@y")
    made.begin(parcel)
    assert made.take().count(b"\n") == 3
    assert say(made, "250 Ok", "250 Ok", "354 go") == [Event.CONTENT]
    made.content_sent()
    say(made, "250 Ok")
    assert [s for s, _ in results(parcel)] == ["2.0.0", "5.1.3", "5.1.3", "5.1.3"]
    bad_sender = dispatch(sender="a\r\n@x")
    made.begin(bad_sender)
    assert made.next_event() is Event.FINISHED
    assert results(bad_sender)[0][0] == "5.1.7"


def test_the_next_envelope_travels_behind_the_content():
    made, first, second = session(), dispatch(), dispatch("c@z")
    made.begin(first)
    made.take()
    assert say(made, "250 Ok", "250 Ok", "354 go") == [Event.CONTENT]
    assert made.follow(second)
    made.content_sent()
    assert made.take().startswith(b"MAIL FROM:")
    assert say(made, "250 2.0.0 one", "250 Ok", "250 Ok", "354 go") == [Event.FINISHED, Event.CONTENT]
    assert made.finished is first
    assert made.current is second
    made.content_sent()
    assert say(made, "250 2.0.0 two") == [Event.FINISHED]
    assert [results(first)[0][1], results(second)[0][1]] == ["250 2.0.0 one", "250 2.0.0 two"]
    assert made.carried == 2
    assert made.stage is IDLE


@pytest.mark.parametrize("how", ["lost", "late", "garbled"])
def test_what_follows_a_broken_message_is_untouched(how):
    made, first, second = session(), dispatch(), dispatch("c@z")
    made.begin(first)
    say(made, "250 Ok", "250 Ok", "354 go")
    made.follow(second)
    made.content_sent()
    if how == "garbled":
        events = say(made, "nonsense")
    else:
        events = [made.fail(timed_out=how == "late"), made.next_event()]
    assert events[:2] == [Event.FINISHED, Event.FINISHED]
    assert first.outcomes[0].status in ("4.4.2", "4.5.0")
    assert not first.untouched
    assert second.untouched


def test_a_refused_content_does_not_touch_what_follows():
    made, first, second = session(), dispatch(), dispatch("c@z")
    made.begin(first)
    say(made, "250 Ok", "250 Ok", "354 go")
    made.follow(second)
    made.content_sent()
    assert say(made, "554 5.6.0 no", "250 Ok", "250 Ok", "354 go") == [Event.FINISHED, Event.CONTENT]
    assert first.outcomes[0].status == "5.6.0"


def test_nothing_follows_where_it_cannot():
    made, parcel = session(PLAIN), dispatch()
    made.begin(parcel)
    assert not made.follow(dispatch())
    made = session()
    made.begin(dispatch())
    assert not made.follow(dispatch())  # not yet
    say(made, "250 Ok", "250 Ok", "354 go")
    large = dispatch(size=5000)
    assert not made.follow(large)
    assert large.outcomes == [None]


def probe(*addresses):
    made = dispatch(*addresses)
    made.probe = True
    return made


@pytest.mark.parametrize("ehlo", [FULL, PLAIN], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("lmtp", [False, True])
def test_a_probe_ends_with_the_recipients(ehlo, lmtp):
    made, parcel = session(ehlo, lmtp=lmtp), probe("b@y", "c@z", "d@z")
    made.begin(parcel)
    if ehlo is FULL:
        assert made.take().endswith(b"RCPT TO:<d@z> ORCPT=rfc822;d@z\r\n")
    assert say(made, "250 Ok", "250 2.1.5 yes", "250 Ok", "550 5.1.1 no") == [Event.FINISHED]
    no = "host there[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)"
    assert results(parcel) == [("2.1.5", "250 2.1.5 yes"), ("2.0.0", "250 Ok"), ("5.1.1", no)]
    said = made.take()
    assert said.endswith(b"RSET\r\n")
    assert b"DATA" not in said
    assert say(made, "250 Ok") == [Event.READY]
    assert made.idle


@pytest.mark.parametrize("ehlo", [FULL, PLAIN], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("lmtp", [False, True])
def test_a_probe_that_asks_for_data_sends_no_content(ehlo, lmtp):
    made, parcel = session(ehlo, lmtp=lmtp, probe_data=True), probe("b@y", "c@z")
    made.begin(parcel)
    assert say(made, "250 Ok", "250 Ok", "450 4.2.1 later", "354 Go ahead") == [Event.FINISHED]
    assert made.take().endswith(b"DATA\r\n")
    assert [each[0] for each in results(parcel)] == ["2.0.0", "4.2.1"]
    assert results(parcel)[0][1] == "354 Go ahead"
    assert made.stage is CLOSED

    made, parcel = session(ehlo, lmtp=lmtp, probe_data=True), probe()
    made.begin(parcel)
    assert say(made, "250 Ok", "250 Ok", "554 5.1.1 not here") == [Event.FINISHED]
    assert results(parcel) == [
        ("5.1.1", "host there[192.0.2.1] said: 554 5.1.1 not here (in reply to DATA command)")
    ]
    assert made.take().endswith(b"RSET\r\n")


@pytest.mark.parametrize("ehlo", [FULL, PLAIN], ids=["pipelining", "one by one"])
def test_a_probe_whose_sender_is_refused(ehlo):
    made, parcel = session(ehlo), probe()
    made.begin(parcel)
    replies = ["550 5.7.1 no"] + (["503 no"] if ehlo is FULL else [])
    assert say(made, *replies) == [Event.FINISHED]
    assert results(parcel)[0][0] == "5.7.1"
    assert made.take().endswith(b"RSET\r\n")


def test_a_probe_may_follow_a_message_and_never_gets_to_send_one():
    usual = UsualAnswers()
    made = session(usual=usual)
    first, second, third = dispatch(), dispatch(), probe()
    for parcel in (first, second):
        made.begin(parcel)
        assert say(made, "250 Ok", "250 Ok", "354 go") == [Event.CONTENT]
        if parcel is first:
            made.content_sent()
            assert say(made, "250 Ok") == [Event.FINISHED]
    assert made.follow(third)
    made.content_sent()
    assert say(made, "250 Ok", "250 Ok", "250 2.1.5 yes", "354 go")[:2] == [Event.FINISHED, Event.FINISHED]
    assert made.finished is third
    assert results(third) == [("2.1.5", "250 2.1.5 yes")]
    assert made.stage is CLOSED  # it said 354 to what was not asked


@given(st.lists(st.integers(0, 200)), st.sampled_from([FULL, PLAIN]))
def test_how_the_answers_are_cut_never_matters(cuts, ehlo):
    if ehlo is PLAIN:
        replies = ["250 Ok", "250-a\r\n250 Ok", "450 4.2.0 no"]
    else:
        replies = ["250 Ok", "250-a\r\n250 Ok", "450 4.2.0 no", "354 go"]
    made, parcel = session(ehlo), dispatch("b@y", "c@z")
    made.begin(parcel)
    data, events, start = "".join(f"{r}\r\n" for r in replies).encode(), [], 0
    for cut in [*sorted(c for c in cuts if c < len(data)), len(data)]:
        made.feed(data[start:cut])
        start = cut
        while (event := made.next_event()) is not Event.WAIT:
            events.append(event)
    if ehlo is PLAIN:
        events += say(made, "354 go")
    assert events == [Event.CONTENT]
    assert parcel.accepted == [0]
    made.content_sent()
    assert say(made, "250 Ok") == [Event.FINISHED]


reply = st.sampled_from(
    [
        "250 Ok",
        "250-x\r\n250 y",
        "354 go",
        "421 bye",
        "450 4.2.0 no",
        "550 no",
        "hello",
        "550",
        "199 x",
        "250-",
        "",
    ]
)


@given(st.lists(reply, max_size=12), st.sampled_from([FULL, PLAIN]), st.booleans())
def test_whatever_it_says_delivered_means_a_2xx_behind_the_dot(replies, ehlo, lmtp):
    """And every recipient has one outcome in the end."""
    made, parcel = session(ehlo, lmtp=lmtp), dispatch("b@y", "c@z")
    made.begin(parcel)
    dotted = []
    for text in replies:
        made.feed(f"{text}\r\n".encode())
        while (event := made.next_event()) is not Event.WAIT:
            if event is Event.CONTENT:
                made.content_sent()
                dotted.append(True)
            if event in (Event.FINISHED, Event.BROKEN):
                break
        if made.current is None:
            break
    if made.current is not None:
        made.fail()
    assert all(o is not None for o in parcel.outcomes)
    if any(o.status.startswith("2") for o in parcel.outcomes):
        assert dotted


ENVELOPE = ("250 2.1.0 Ok", "250 2.1.5 Ok", "250-2.1.5 Ok\r\n250 2.1.5 too", "354 go")


def after(made, parcel, *replies):
    """Return all that can be seen of a session that has heard these replies to an envelope."""
    made.begin(parcel)
    made.take()
    events = say(made, *replies)
    shown = [str(outcome) for outcome in parcel.outcomes]
    seen = (made.stage, parcel.accepted, parcel.replied, parcel.refused, shown, made.take())
    if made.stage is BODY:
        made.content_sent()
        events += say(made, "250 2.0.0 queued")
    return [*seen, events, made.stage]


@pytest.mark.parametrize(
    ("recipients", "replies"),
    [
        (("b@y", "c@z"), ENVELOPE),
        (("b@y", "c@z"), ENVELOPE[:3]),
        (("b@y", "c@z"), (*ENVELOPE, "250 too much")),
        (("b@y", "c@z"), ("250 2.1.0 Ok", "550 5.1.1 no", "250 2.1.5 Ok", "354 go")),
        (("b@y",), ENVELOPE),
        (("b@y",), ("250 2.1.0 Ok", "250 2.1.5 Ok", "354 go")),
    ],
)
def test_an_envelope_answered_as_the_one_before_is_understood_like_the_first(recipients, replies):
    fresh, used = session(), session()
    assert after(used, dispatch("b@y", "c@z"), *ENVELOPE)[-1] is IDLE
    before = used.heard - fresh.heard
    first, second = dispatch(*recipients), dispatch(*recipients)
    assert after(used, second, *replies) == after(fresh, first, *replies)
    assert used.heard - fresh.heard == before


def test_what_one_conversation_has_heard_the_next_need_not_read():
    usual, answers = UsualAnswers(), ("250 Ok", "250 Ok", "354 go")
    for _ in range(2):
        made, parcel = session(usual=usual), dispatch()
        made.begin(parcel)
        assert say(made, *answers) == [Event.CONTENT]
        assert (made.stage, parcel.accepted, made.heard) == (BODY, [0], 5)


def test_a_server_without_pipelining_is_never_taken_to_have_answered_what_it_was_not_asked():
    usual, answers = UsualAnswers(), ("250 Ok", "250 Ok", "354 go")
    made = session(usual=usual)
    made.begin(dispatch())
    assert say(made, *answers) == [Event.CONTENT]
    made = session(PLAIN, usual=usual)
    made.begin(dispatch())
    assert made.stage is MAIL
    assert say(made, "250 Ok") == []
    assert made.take() == b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n"


XFORWARDING = "250-there\r\n{}250 XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT"


def introducing(*, pipelining=True, warnings=None):
    warn = (warnings if warnings is not None else []).append
    made = ClientSession(Manners("me.example", str, xforward=True), Peer("there", "192.0.2.1", 25), warn)
    made.feed(b"220 there\r\n")
    made.next_event()
    made.take()
    made.feed((XFORWARDING.format("250-PIPELINING\r\n" if pipelining else "") + "\r\n").encode())
    assert made.next_event() is Event.READY
    return made


def from_client(*addresses):
    made = dispatch(*addresses)
    made.message.attributes = {
        "log_client_name": "c.example", "log_client_address": "192.0.2.7", "log_protocol_name": "SMTP",
    }  # fmt: skip
    return made


def test_a_server_that_wants_to_know_is_told_where_a_message_comes_from():
    warnings = []
    made, parcel = introducing(warnings=warnings), from_client()
    made.begin(parcel)
    commands = made.take().split(b"\r\n")
    assert commands[0] == b"XFORWARD NAME=c.example ADDR=192.0.2.7"
    assert commands[1] == b"XFORWARD PROTO=SMTP IDENT=%b SOURCE=REMOTE" % parcel.message.id.encode()
    assert commands[2:] == [b"MAIL FROM:<a@x>", b"RCPT TO:<b@y>", b"DATA", b""]
    assert say(made, "502 no", "501 what?", "250 Ok", "250 Ok", "354 go") == [Event.CONTENT]
    assert warnings == [
        "host there[192.0.2.1]:25 said: 502 no (in reply to XFORWARD name/address command)",
        "host there[192.0.2.1]:25 said: 501 what? (in reply to XFORWARD helo/protocol command)",
    ]
    other = from_client("c@z")
    assert made.follow(other)
    made.content_sent()
    assert say(made, "250 2.0.0 Ok", "250 Ok", "250 Ok", "250 Ok", "250 Ok", "354 go") == [
        Event.FINISHED,
        Event.CONTENT,
    ]
    made.content_sent()
    assert say(made, "250 2.0.0 Ok") == [Event.FINISHED]
    assert results(other) == [("2.0.0", "250 2.0.0 Ok")]


def test_so_is_one_command_at_a_time():
    made, parcel = introducing(pipelining=False), from_client()
    made.begin(parcel)
    for command, reply in [
        (b"XFORWARD N", "250"),
        (b"XFORWARD P", "250"),
        (b"MAIL", "250"),
        (b"RCPT", "250"),
    ]:
        assert made.take().startswith(command)
        assert say(made, f"{reply} Ok") == []
    assert made.take() == b"DATA\r\n"


def test_a_server_that_ends_the_session_there_has_heard_nothing_of_the_message():
    made, parcel = introducing(), from_client()
    made.begin(parcel)
    assert say(made, "421 4.3.2 bye") == [Event.FINISHED]
    assert parcel.untouched
