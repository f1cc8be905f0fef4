from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto.hooks import Notice
from postroad.proto.machine import State, Verb
from postroad.proto.options import BareNewline


def test_a_message_too_big_is_read_to_its_dot_and_refused(make_talk):
    talk = make_talk(size_limit=100).to("data")
    assert talk.say("x" * 98 + "\r\nMAIL FROM:<a@example.net>\r\n") == []
    assert talk.hooks.discarded == 1
    assert talk.hooks.notices == [(Notice.TOO_BIG, "")]
    assert talk.say("more\r\n.\r\nNOOP\r\n") == ["552 5.3.4 Error: message file too big", "250 2.0.0 Ok"]
    assert talk.hooks.messages == []
    assert talk.server.state is State.IDLE


def test_a_message_of_the_largest_size_is_taken(make_talk):
    assert make_talk(size_limit=100).to("data").say("x" * 98 + "\r\n.\r\n") == ["250 2.0.0 Ok: queued as ABC"]


def test_no_limit_is_no_limit(make_talk):
    assert make_talk(size_limit=0).to("data").say("x" * 100_000 + "\r\n.\r\n")[0].startswith("250")


@pytest.mark.parametrize(
    ("mode", "answer", "told"),
    [
        (BareNewline.ALLOW, "250", []),
        (BareNewline.NORMALIZE, "250", []),
        (BareNewline.NOTE, "250", [(Notice.BARE_LF, "")]),
        (BareNewline.REJECT, "550", []),
    ],
)
def test_bare_line_feeds_have_the_consequence_that_is_configured(make_talk, mode, answer, told):
    talk = make_talk(bare_newline=mode).to("data")
    assert talk.say("a\nb\r\n.\r\n")[0].startswith(answer)
    assert talk.hooks.notices == told
    assert talk.hooks.messages == ([] if answer == "550" else [b"a\r\nb\r\n"])


def test_a_refused_message_is_an_error_and_ends_the_transaction(talk):
    talk.hooks.replies["message"] = Reply(451, "4.3.0", "Error: queue file write error")
    assert talk.to("data").say("x\r\n.\r\n") == ["451 4.3.0 Error: queue file write error"]
    assert talk.server.errors == 1
    assert talk.server.accepted[Verb.DATA] == 0
    assert talk.ask("RCPT TO:<b@example.test>") == "503 5.5.1 Error: need MAIL command"
    assert talk.ask("DATA") == "503 5.5.1 Error: need RCPT command"


def test_no_answer_is_no_acceptance(talk):
    talk.hooks.replies["message"] = None
    assert talk.to("data").say("x\r\n.\r\n") == ["451 4.3.0 Error: internal error"]


def test_the_next_message_begins_with_nothing_of_the_last(talk):
    talk.to("data").say("x\r\n.\r\n")
    assert talk.server.session.transaction.sender is None
    assert talk.to("data").say("y\r\n.\r\n") == ["250 2.0.0 Ok: queued as ABC"]
    assert talk.hooks.messages == [b"x\r\n", b"y\r\n"]


def test_large_content_is_handed_on_while_it_comes(talk):
    talk.to("data")
    for _ in range(100):
        talk.say(b"0123456789abcde\n" * 1000)
    assert len(talk.hooks._pieces) == 100
    assert talk.server.received >= 1_600_000


def test_the_policy_can_refuse_the_data(talk):
    talk.hooks.replies["data"] = Reply(550, "5.7.1", "no")
    talk.to("rcpt")
    assert talk.ask("DATA") == "550 5.7.1 no"
    assert talk.ask("RCPT TO:<c@example.test>") == "250 2.1.5 Ok"
