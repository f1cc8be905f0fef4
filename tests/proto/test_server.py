from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model.reply import Reply
from postroad.proto.hooks import PENDING, Notice
from postroad.proto.machine import State
from postroad.proto.options import BareNewline

from .conftest import QUEUED, Talk

DIALOGUE = (
    b"EHLO client.example\r\nNOOP\r\nmail from: <a@example.net> SIZE=100 BODY=8BITMIME\r\n"
    b"RCPT TO:<b@example.test> NOTIFY=NEVER\r\nRCPT TO:<c@example.test>\r\nDATA\r\n"
    b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\nBDAT 5\r\nSu:\r\nBDAT 6 LAST\r\n\r\nx\r\n."
    b"FOO\r\nRSET\r\nVRFY b\r\nQUIT\r\nNOOP\r\n"
)


def outcome(pieces):
    talk = Talk(forbid_pipelining=False)
    said = []
    for piece in pieces:
        said += talk.say(piece)
    server = talk.server
    return said, talk.hooks.messages, server.state, server.accepted, server.counts, server.errors


@given(st.lists(st.integers(0, len(DIALOGUE)), max_size=12))
@settings(max_examples=200)
def test_how_the_bytes_are_cut_never_matters(places):
    marks = [0, *sorted(set(places)), len(DIALOGUE)]
    pieces = [DIALOGUE[a:b] for a, b in itertools.pairwise(marks)]
    assert outcome(pieces) == outcome([DIALOGUE])


def test_byte_by_byte_is_the_same_too():
    assert outcome([DIALOGUE[i : i + 1] for i in range(len(DIALOGUE))]) == outcome([DIALOGUE])


def test_so_is_line_by_line_as_clients_send_it():
    assert outcome(DIALOGUE.splitlines(keepends=True)) == outcome([DIALOGUE])


@given(st.lists(st.integers(0, len(DIALOGUE)), max_size=6))
def test_nor_does_it_matter_when_answers_come(places):
    marks = [0, *sorted(set(places)), len(DIALOGUE)]
    talk = Talk()
    late = dict.fromkeys(("helo", "mail", "recipient", "data", "message", "verify"), PENDING)
    talk.hooks.replies.update(late)
    said = []
    for a, b in itertools.pairwise(marks):
        said += talk.say(DIALOGUE[a:b])
        while talk.server.waiting:
            talk.server.answer(QUEUED if talk.hooks.asked[-1][0] == "message" else None)
            said += talk.said()
    assert said == outcome([DIALOGUE])[0]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r\r\n"])
def test_a_command_is_looked_at_once_its_line_has_its_end(talk, end):
    for command in ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"]:
        talk.server.feed(command.encode())
        assert not talk.server.out
        talk.server.feed(end.encode())
        assert len(talk.server.out) == 1
        assert talk.server.out.pop()[:3] in (b"250", b"354")


def test_nothing_is_looked_at_while_an_answer_is_outstanding(talk):
    talk.hooks.replies["mail"] = PENDING
    assert talk.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\n") == []
    assert talk.say("DATA\r\n") == []
    assert talk.server.backlog == len("RCPT TO:<b@example.test>\r\nDATA\r\n")
    talk.server.answer(None)
    assert talk.said() == ["250 2.1.0 Ok", "250 2.1.5 Ok", "354 End data with <CR><LF>.<CR><LF>"]


def test_an_answer_that_nobody_waits_for_is_ignored(talk):
    talk.server.answer(Reply(550, "5.0.0", "no"))
    assert talk.said() == []


def test_input_before_the_greeting_is_kept_and_noted(make_talk):
    talk = make_talk(greet=False)
    talk.server.feed(b"HELO x\r\n")
    assert talk.said() == []
    talk.server.start()
    assert talk.said() == ["220 mx.example.test ESMTP", "250 mx.example.test"]
    assert talk.hooks.notices == [(Notice.PIPELINING, "HELO x\\r\\n")]
    assert talk.server.session.memory["improper_pipelining"]


def test_input_before_the_greeting_may_end_the_session(make_talk):
    talk = make_talk(greet=False, forbid_pipelining=True)
    talk.server.feed(b"HELO x\r\n")
    talk.server.start()
    assert talk.said() == ["554 5.5.0 Error: SMTP protocol synchronization"]
    assert talk.server.closed


@pytest.mark.parametrize("first", ["EHLO x", "NOOP", "DATA", "VRFY b"])
def test_commands_that_end_a_group_end_a_session_that_goes_on_behind_them(make_talk, first):
    talk = make_talk(forbid_pipelining=True).to("rcpt")
    assert talk.say(f"{first}\r\nNOOP\r\n") == ["554 5.5.0 Error: SMTP protocol synchronization"]
    assert talk.server.closed


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ("XCLIENT LOGIN=a", "550 5.7.0 Error: insufficient authorization"),
        ("STARTTLS", "502 5.5.1 Error: command not implemented"),
    ],
)
def test_commands_that_nobody_may_use_are_refused_whatever_follows(make_talk, first, answer):
    talk = make_talk(forbid_pipelining=True)
    talk.ask("EHLO x")
    assert talk.say(f"{first}\r\nNOOP\r\n") == [answer, "250 2.0.0 Ok"]


def test_groups_that_ehlo_allows_are_no_offence(make_talk):
    talk = make_talk(forbid_pipelining=True)
    talk.ask("EHLO x")
    talk.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n")
    assert not talk.server.improper
    talk = make_talk()
    talk.ask("HELO x")
    talk.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n")
    assert talk.server.improper


def test_errors_end_the_session_and_a_message_forgives_them(make_talk):
    talk = make_talk(hard_errors=3)
    talk.ask("FOO", "FOO")
    talk.to("data").ask(".")
    assert talk.server.errors == 0
    assert talk.ask("FOO", "FOO") == "500 5.5.2 Error: command not recognized"
    assert talk.say("FOO\r\n")[-1] == "421 4.7.0 mx.example.test Error: too many errors"
    assert talk.server.closed
    assert talk.hooks.notices[-1][0] is Notice.TOO_MANY_ERRORS


def test_junk_beyond_its_limit_is_an_error_each_time(make_talk):
    talk = make_talk(junk_limit=2, hard_errors=2)
    assert [talk.ask("NOOP") for _ in range(4)] == ["250 2.0.0 Ok"] * 4
    assert talk.say("NOOP\r\n") == ["250 2.0.0 Ok", "421 4.7.0 mx.example.test Error: too many errors"]


def test_replies_beyond_the_soft_limit_are_held_back(make_talk):
    talk = make_talk(soft_errors=1, error_sleep=1.0)
    talk.ask("FOO")
    assert talk.say("NOOP\r\nRSET\r\n") == []
    assert talk.server.sleeping
    talk.server.wake()
    assert talk.said() == ["250 2.0.0 Ok"]
    talk.server.wake()
    assert talk.said() == ["250 2.0.0 Ok"]
    assert not talk.server.sleeping


def test_a_last_word_is_held_back_as_well(make_talk):
    talk = make_talk(soft_errors=1, error_sleep=1.0)
    talk.ask("FOO")
    assert talk.say("QUIT\r\n") == []
    assert talk.server.closed
    talk.server.wake()
    assert talk.said() == ["221 2.0.0 Bye"]


def test_a_long_line_is_cut_and_its_beginning_is_the_command(make_talk):
    talk = make_talk(line_limit=20)
    assert talk.ask("NOOP " + "x" * 100) == "250 2.0.0 Ok"
    assert talk.hooks.notices == [(Notice.LONG_LINE, "NOOP " + "x" * 15)]


def test_a_line_without_end_ends_the_session(talk):
    said = []
    for _ in range(40):
        said += talk.say(b"x" * 65536)
        assert talk.server.backlog <= 65536
    assert said == ["500 5.5.2 Error: line too long"]
    assert talk.server.closed


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"\r\n", "500 5.5.2 Error: bad syntax"),
        (b"   \r\n", "500 5.5.2 Error: bad syntax"),
        (b"\0NOOP\r\n", "500 5.5.2 Error: bad syntax"),
        (b"NOOP\0 x\r\n", "250 2.0.0 Ok"),
        (b"NOOP\r\r\n", "250 2.0.0 Ok"),
        (b"NOOP\n", "250 2.0.0 Ok"),
        (b"NO\xffOP\r\n", "500 5.5.2 Error: bad UTF-8 syntax"),
        (b"PING\r\n", "500 5.5.2 Error: command not recognized"),
        (b"GET / HTTP/1.1\r\n", "500 5.5.2 Error: command not recognized"),
        (b"Subject: hello\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye."),
    ],
)
def test_odd_lines_are_answered_as_postfix_answers_them(talk, line, answer):
    assert talk.say(line) == [answer]


def test_words_of_the_operator_are_obeyed(make_talk):
    talk = make_talk(noop_words=True, forbidden_words=True)
    assert talk.ask("ping") == "250 2.0.0 Ok"
    assert talk.ask("GET / HTTP/1.1") == "221 2.7.0 Error: I can break rules, too. Goodbye."
    assert talk.server.closed
    assert talk.hooks.notices == [(Notice.FOREIGN, "GET / HTTP/1.1")]


def test_bare_line_feeds_in_commands_are_refused_where_they_are_forbidden(make_talk):
    talk = make_talk(bare_newline=BareNewline.REJECT)
    assert talk.say("NOOP\n") == ["550 5.5.2 mx.example.test Error: bare <LF> received"]
    assert talk.server.closed
    assert talk.hooks.logged[0].code == 550


def test_a_client_refused_at_connect_may_only_quit(make_talk):
    talk = make_talk(greet=False)
    talk.hooks.replies["connect"] = Reply(554, "5.7.1", "no")
    talk.server.start()
    assert talk.said() == ["554 5.7.1 no"]
    for line in ("EHLO x", "MAIL FROM:<a@example.net>", "DATA", "BDAT 3", "FOO"):
        assert talk.ask(line) == "503 5.7.0 Error: access denied for unknown[192.0.2.1]"
    assert talk.ask("QUIT") == "221 2.0.0 Bye"


@pytest.mark.parametrize("code", [421, 521])
def test_some_codes_end_the_session_wherever_they_come_from(talk, code):
    talk.hooks.replies["mail"] = Reply(code, "", "go away")
    assert talk.say("MAIL FROM:<a@example.net>\r\nNOOP\r\n") == [f"{code} go away"]
    assert talk.server.closed


def test_refusals_can_be_softened_and_get_a_footer(make_talk):
    assert make_talk(soft_bounce=True).ask("FOO") == "400 4.5.2 Error: command not recognized"
    assert make_talk(footer=True).ask("FOO") == "500 5.5.2 Error: command not recognized (see you)"
    assert make_talk(footer=True).ask("NOOP") == "250 2.0.0 Ok"


def test_the_end_from_outside_discards_what_was_begun(talk):
    talk.to("data")
    talk.server.end(Reply(421, "4.4.2", "mx Error: timeout exceeded"))
    assert talk.said() == ["421 4.4.2 mx Error: timeout exceeded"]
    assert talk.hooks.discarded == 1
    assert talk.server.state is State.CLOSED
    assert talk.say("NOOP\r\n") == []


def test_a_message_at_its_commit_is_left_alone_when_the_client_leaves(talk):
    talk.hooks.replies["message"] = PENDING
    talk.to("data").say("x\r\n.\r\n")
    transaction = talk.server.session.transaction
    talk.server.close()
    assert talk.hooks.discarded == 0
    assert talk.server.session.transaction is transaction
