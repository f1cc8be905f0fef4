from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto.hooks import PENDING, Notice
from postroad.proto.machine import State
from postroad.proto.options import BareNewline


def test_a_message_in_chunks_is_one_message(talk):
    talk.to("rcpt")
    assert talk.say("BDAT 7\r\nA: b\r\n\rBDAT 5 LAST\r\n\nx.\r\n") == [
        "250 2.0.0 Ok: 7 bytes",
        "250 2.0.0 Ok: 12 bytes queued as ABC",
    ]
    assert talk.hooks.messages == [b"A: b\r\n\r\nx.\r\n"]
    assert talk.server.state is State.IDLE


def test_the_last_chunk_may_be_empty_and_a_missing_line_end_is_added(talk):
    talk.to("rcpt")
    talk.say("BDAT 1\r\nx")
    assert talk.say("BDAT 0 LAST\r\n") == ["250 2.0.0 Ok: 3 bytes queued as ABC"]
    assert talk.hooks.messages == [b"x\r\n"]


def test_dots_are_only_dots_in_a_chunk(talk):
    talk.to("rcpt")
    talk.say("BDAT 8 LAST\r\n.\r\n..\r\n.")
    assert talk.hooks.messages == [b".\r\n..\r\n.\r\n"]


@pytest.mark.parametrize(
    "words", ["", "x", "-1", "3 FIRST", "3 LAST x", "9999999999999999999", "+3", "\u0663"]
)
def test_a_chunk_of_unknown_size_ends_the_session(talk, words):
    talk.to("rcpt")
    assert talk.say(f"BDAT {words}\r\nMAIL\r\n") == ["521 5.5.4 Syntax: BDAT count [LAST]"]
    assert talk.server.closed
    assert talk.hooks.discarded == 1


def test_the_octets_of_a_refused_chunk_are_never_commands(talk):
    assert talk.say("BDAT 6\r\nQUIT\r\nNOOP\r\n") == ["503 5.5.1 Error: need RCPT command", "250 2.0.0 Ok"]


def test_chunks_behind_a_refused_one_are_read_past(talk):
    talk.to("mail")
    assert talk.say("BDAT 3\r\nabcBDAT 3\r\ndefBDAT 3 LAST\r\nghi") == [
        "554 5.5.1 Error: no valid recipients",
        "551 5.0.0 Discarded 3 bytes after earlier error",
        "551 5.0.0 Discarded 3 bytes after earlier error",
    ]
    assert talk.server.state is State.IDLE


def test_empty_chunks_are_no_way_to_keep_a_server_busy(talk):
    talk.to("rcpt")
    assert talk.ask("BDAT 0") == "551 5.7.1 Null BDAT request"
    assert talk.hooks.notices == [(Notice.NULL_CHUNK, "")]


def test_a_chunk_over_the_limit_is_refused_before_it_is_kept(make_talk):
    talk = make_talk(size_limit=10).to("rcpt")
    assert talk.say("BDAT 8\r\n123456\r\n") == ["250 2.0.0 Ok: 8 bytes"]
    assert talk.say("BDAT 3\r\nabc") == ["552 5.3.4 Chunk exceeds message size limit"]
    assert talk.server.state is State.SPOILED
    assert talk.say("BDAT 0 LAST\r\n") == ["551 5.0.0 Discarded 0 bytes after earlier error"]
    assert talk.hooks.messages == []


def test_line_ends_that_grow_count_too(make_talk):
    talk = make_talk(size_limit=10).to("rcpt")
    assert talk.say("BDAT 6\r\n\n\n\n\n\n\n") == ["552 5.3.4 Error: message file too big"]
    assert talk.server.state is State.SPOILED


def test_the_policy_sees_the_first_chunk_and_only_that(talk):
    talk.to("rcpt")
    talk.hooks.asked.clear()
    talk.say("BDAT 1\r\naBDAT 1\r\nb")
    assert talk.hooks.asked == [("data",)]
    talk.ask("RSET")
    talk.to("rcpt")
    talk.hooks.replies["data"] = Reply(550, "5.7.1", "no")
    assert talk.say("BDAT 3\r\nabc") == ["550 5.7.1 no"]


def test_a_policy_may_take_its_time_for_a_chunk(talk):
    talk.to("rcpt")
    talk.hooks.replies["data"] = PENDING
    assert talk.say("BDAT 3 LAST\r\nabc") == []
    talk.server.answer(None)
    assert talk.said() == ["250 2.0.0 Ok: 5 bytes queued as ABC"]


def test_bare_line_feeds_are_refused_with_the_chunk_that_has_them(make_talk):
    talk = make_talk(bare_newline=BareNewline.REJECT).to("rcpt")
    assert talk.say("BDAT 3\r\na\r\nBDAT 3\r\na\nbBDAT 3 LAST\r\nc\r\n") == [
        "250 2.0.0 Ok: 3 bytes",
        "550 5.5.2 mx.example.test Error: bare <LF> received",
        "551 5.0.0 Discarded 3 bytes after earlier error",
    ]
    assert talk.hooks.messages == []
    talk.ask("RSET", "MAIL FROM:<a@b.test>", "RCPT TO:<b@x.test>")
    assert talk.say("BDAT 3 LAST\r\nc\r\n") == ["250 2.0.0 Ok: 3 bytes queued as ABC"]
    assert talk.hooks.messages == [b"c\r\n"]


def test_bare_line_feeds_are_refused_at_the_end(make_talk):
    talk = make_talk(bare_newline=BareNewline.REJECT).to("rcpt")
    assert talk.say("BDAT 3 LAST\r\na\nb") == ["550 5.5.2 mx.example.test Error: bare <LF> received"]
    assert talk.server.state is State.IDLE


def test_a_million_small_chunks_take_no_memory(talk):
    talk.to("rcpt")
    for _ in range(100):
        said = talk.say("BDAT 1\r\nx" * 100)
        assert said == ["250 2.0.0 Ok: 1 bytes"] * 100
    assert talk.server.backlog == 0
    assert len(talk.hooks._pieces) <= 10
