from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto.machine import ACCEPTED, OUT_OF_ORDER, State, Verb

from .conftest import Talk

REACHED = {
    State.IDLE: (),
    State.MAIL: ("MAIL FROM:<a@example.net>",),
    State.RCPT: ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>"),
    State.CHUNKS: ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "BDAT 3\r\na"),
    State.SPOILED: ("MAIL FROM:<a@example.net>", "BDAT 3\r\na"),
    State.STRAY: ("BDAT 3\r\na",),
    State.CLOSED: ("QUIT",),
}
LINES = {
    Verb.HELO: "HELO x",
    Verb.EHLO: "EHLO x",
    Verb.MAIL: "MAIL FROM:<a@example.net>",
    Verb.RCPT: "RCPT TO:<b@example.test>",
    Verb.DATA: "DATA",
    Verb.RSET: "RSET",
    Verb.NOOP: "NOOP",
    Verb.VRFY: "VRFY b",
    Verb.QUIT: "QUIT",
    Verb.ETRN: "ETRN example.test",
    Verb.XCLIENT: "XCLIENT ADDR=192.0.2.9",
    Verb.XFORWARD: "XFORWARD ADDR=192.0.2.9",
}


def at(state):
    talk = Talk()
    talk.hooks.replies["etrn"] = Reply(250, "", "Queuing started")
    talk.ask("EHLO x", *REACHED[state])
    assert talk.server.state is state
    return talk


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize("verb", LINES)
def test_each_command_does_in_each_state_what_the_table_says(state, verb):
    talk = at(state)
    answer = talk.ask(LINES[verb])
    refusal = OUT_OF_ORDER[state].get(verb)
    if state is State.CLOSED:
        assert answer == ""
    elif refusal is not None:
        assert answer == refusal.line()
        assert talk.server.state is state
    elif verb in ACCEPTED[state]:
        target = ACCEPTED[state][verb]
        assert int(answer[:3]) < 400
        assert talk.server.state is (state if target is None else target)
    else:
        assert int(answer[:3]) >= 500
        assert talk.server.state is state


@pytest.mark.parametrize("state", [State.IDLE, State.MAIL, State.RCPT])
def test_a_refused_command_never_moves_the_machine(state):
    for verb, hook in (
        (Verb.MAIL, "mail"),
        (Verb.RCPT, "recipient"),
        (Verb.DATA, "data"),
        (Verb.EHLO, "helo"),
    ):
        talk = at(state)
        talk.hooks.replies[hook] = Reply(550, "5.7.1", "no")
        talk.ask(LINES[verb])
        assert talk.server.state is state


def test_every_state_has_a_row_and_no_verb_is_both_accepted_and_out_of_order():
    assert set(ACCEPTED) == set(OUT_OF_ORDER) == set(State)
    for state in State:
        assert not set(ACCEPTED[state]) & set(OUT_OF_ORDER[state])


@pytest.mark.parametrize("chunk", ["BDAT 3\r\na", "BDAT 3 LAST\r\na", "BDAT 0", "BDAT 99999999999 LAST"])
@pytest.mark.parametrize("before", [(), ("MAIL FROM:<a@example.net>",)])
def test_after_a_refused_chunk_no_message_comes_without_its_envelope(before, chunk):
    talk = Talk(size_limit=10)
    talk.ask("EHLO x", *before)
    talk.say(chunk + "\r\n")
    for line in ("DATA", "BDAT 0 LAST", "RCPT TO:<b@example.test>", "DATA"):
        if talk.server.state is not State.CONTENT:
            talk.ask(line)
    assert talk.hooks.messages == []
    assert not talk.hooks.opened
