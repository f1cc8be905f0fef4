"""Lines: which are commands, which are somebody else's protocol, which are too long."""

from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto.hooks import Notice
from postroad.proto.machine import Verb
from postroad.proto.options import BareNewline

from .conftest import Talk

FAREWELL = "221 2.7.0 Error: I can break rules, too. Goodbye."


def test_a_line_that_is_not_whole_yet_waits(talk):
    assert talk.say("NO") == []
    assert talk.say("OP x\r\nNOO") == ["250 2.0.0 Ok"]
    assert talk.say("P x\r\n") == ["250 2.0.0 Ok"]


@pytest.mark.parametrize("line", ["", " ", "\t"])
def test_an_empty_line_is_an_error_but_no_command(talk, line):
    assert talk.ask(line) == "500 5.5.2 Error: bad syntax"
    assert talk.server.errors == 1
    assert sum(talk.server.counts) == 0


def test_an_unknown_command_is_an_error(talk):
    assert talk.ask("FOO bar") == "500 5.5.2 Error: command not recognized"
    assert (talk.server.counts[Verb.UNKNOWN], talk.server.accepted[Verb.UNKNOWN]) == (1, 0)


def test_a_command_ends_at_a_nul(talk):
    assert talk.say(b"NOOP\0 x\r\n") == ["250 2.0.0 Ok"]


def test_bytes_that_are_no_utf8():
    assert Talk(smtputf8=True).say(b"NOOP \xff\r\n") == ["500 5.5.2 Error: bad UTF-8 syntax"]
    assert Talk(smtputf8=False).say(b"NOOP \xff\r\n") == ["250 2.0.0 Ok"]


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "Subject: x", "x-y:"])
def test_another_protocol_ends_the_session(line):
    talk = Talk(forbidden_words=True)
    assert talk.ask(line) == FAREWELL
    assert talk.server.closed
    assert talk.hooks.notices == [(Notice.FOREIGN, line)]


def test_words_that_do_nothing_are_answered_and_count_as_junk():
    talk = Talk(noop_words=True, junk_limit=0)
    assert [talk.ask("PING"), talk.ask("ping x")] == ["250 2.0.0 Ok"] * 2
    assert talk.server.errors == 1


def test_a_long_line_is_cut_and_the_log_has_its_beginning():
    talk = Talk(line_limit=20)
    assert talk.ask("NOOP " + "x" * 100) == "250 2.0.0 Ok"
    assert talk.hooks.notices == [(Notice.LONG_LINE, "NOOP " + "x" * 15)]


def test_a_line_without_end_ends_the_session():
    talk = Talk(line_limit=20)
    said = [line for _ in range(20) for line in talk.say(b"x" * 65536)]
    assert said == ["500 5.5.2 Error: line too long"]
    assert talk.server.closed


def test_a_bare_line_feed_ends_a_session_that_forbids_it():
    talk = Talk(bare_newline=BareNewline.REJECT)
    assert talk.say(b"NOOP x\n") == ["550 5.5.2 mx.example.test Error: bare <LF> received"]
    assert talk.server.closed
    assert Talk().say(b"NOOP x\n") == ["250 2.0.0 Ok"]


def test_so_it_does_in_a_response():
    talk = Talk(bare_newline=BareNewline.REJECT, auth=True)
    talk.server.mechanism = "LOGIN"
    talk.server.expect_response()
    assert talk.say(b"YWxpY2U=\n") == ["550 5.5.2 mx.example.test Error: bare <LF> received"]
    assert talk.hooks.cancelled == 1
    assert talk.hooks.asked[-1:] != [("auth_response", b"alice")]


def test_a_client_that_was_refused_may_only_leave():
    talk = Talk(greet=False)
    talk.hooks.replies["connect"] = Reply(554, "5.7.1", "no")
    talk.server.start()
    talk.said()
    assert talk.ask("NOOP x") == "503 5.7.0 Error: access denied for unknown[192.0.2.1]"
    assert talk.ask("QUIT") == "221 2.0.0 Bye"


def test_commands_may_be_replaced_before_anything_looks_at_them(make_talk):
    talk = make_talk(filtered=True)
    assert talk.ask("DO") == "250 2.0.0 Ok"
    assert talk.ask("  DO") == "250 2.0.0 Ok"
    assert talk.ask("NOOP") == "250 2.0.0 Ok"
    assert talk.ask("BREAK") == "421 4.3.0 mx.example.test Server local data error"
    assert talk.server.closed
    assert make_talk().ask("DO").startswith("500 ")
