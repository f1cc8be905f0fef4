"""STARTTLS in the machine: what is answered, what is forgotten, and that nothing is let through."""

from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.model.tls import TlsFacts
from postroad.proto.hooks import PENDING, Notice
from postroad.proto.machine import State, Verb

from .conftest import Talk

READY = ["220 2.0.0 Ready to start TLS"]
OUT_OF_STEP = ["554 5.5.0 Error: SMTP protocol synchronization"]
FACTS = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256)


@pytest.fixture
def talk():
    return Talk(starttls=True)


def shake(talk):
    """Do what the driver does once hands are shaken."""
    talk.server.session.tls_facts = FACTS
    talk.server.answer(None)


def test_it_is_offered_before_and_not_after(talk):
    assert "250-STARTTLS" in talk.say("EHLO x\r\n")
    assert talk.say("STARTTLS\r\n") == READY
    assert talk.server.upgrading
    shake(talk)
    assert not talk.server.upgrading
    assert "250-STARTTLS" not in talk.say("EHLO x\r\n")
    assert talk.ask("STARTTLS") == "554 5.5.1 Error: TLS already active"
    assert (talk.server.accepted[Verb.STARTTLS], talk.server.counts[Verb.STARTTLS]) == (1, 2)


def test_a_handshake_that_has_not_ended_is_not_an_accepted_command(talk):
    talk.say("STARTTLS\r\n")
    talk.server.close()
    assert (talk.server.accepted[Verb.STARTTLS], talk.server.counts[Verb.STARTTLS]) == (0, 1)
    assert not talk.server.upgrading


def test_everything_that_was_said_in_plain_text_is_forgotten(talk):
    session = talk.server.session
    talk.to("rcpt")
    session.sasl_username = session.sasl_method = "x"
    assert talk.say("STARTTLS\r\n") == READY
    shake(talk)
    assert (session.helo, session.protocol, session.sasl_username, session.sasl_method) == (
        "",
        "SMTP",
        "",
        "",
    )
    assert session.transaction.sender is None
    assert talk.hooks.discarded == 1
    assert talk.ask("RCPT TO:<b@example.test>") == "503 5.5.1 Error: need MAIL command"
    assert talk.ask("DATA") == "503 5.5.1 Error: need RCPT command"


def test_helo_is_demanded_again():
    talk = Talk(starttls=True, helo_required=True)
    talk.ask("EHLO x", "STARTTLS")
    shake(talk)
    assert talk.ask("MAIL FROM:<a@example.net>") == "503 5.5.1 Error: send HELO/EHLO first"


@pytest.mark.parametrize("greeting", ["", "EHLO x\r\n"])
def test_what_came_behind_it_in_plain_text_is_never_looked_at(greeting):
    injected = f"{greeting}STARTTLS\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\n".encode()
    behind = injected.index(b"STARTTLS\r\n") + len(b"STARTTLS\r\n")
    for cut in range(len(injected)):
        talk = Talk(starttls=True)
        said = talk.say(injected[:cut])
        server = talk.server
        if cut == behind:  # the driver saw nothing but the command: what follows is not plain text to it
            assert said[-1:] == READY
            continue
        said += talk.say(injected[cut:])
        assert said[-1:] == OUT_OF_STEP
        assert server.closed
        assert all(hook not in ("mail", "recipient") for hook, *_ in talk.hooks.asked)


def test_the_log_has_what_was_behind_it(talk):
    talk.say("EHLO x\r\n")
    assert talk.say("STARTTLS\r\nNOOP\r\n") == OUT_OF_STEP
    assert talk.hooks.notices == [(Notice.PIPELINING, "NOOP\\r\\n")]
    assert talk.server.closed


def test_so_it_is_with_what_came_while_the_question_waited(talk):
    talk.hooks.replies["starttls"] = PENDING
    talk.ask("EHLO x", "STARTTLS")
    assert talk.say("RSET\r\n") == []
    talk.server.answer(None)
    assert talk.said() == OUT_OF_STEP
    assert talk.hooks.notices == [(Notice.PIPELINING, "RSET\\r\\n")]


def test_a_refusal_leaves_the_session_as_it_was(talk):
    talk.hooks.replies["starttls"] = Reply(454, "4.7.0", "TLS not available due to local problem")
    talk.to("mail")
    assert talk.ask("STARTTLS") == "454 4.7.0 TLS not available due to local problem"
    assert not talk.server.upgrading
    assert talk.ask("RCPT TO:<b@example.test>") == "250 2.1.5 Ok"


def test_it_takes_no_parameter_and_is_not_there_when_not_offered(talk):
    assert talk.ask("STARTTLS now") == "501 5.5.4 Syntax: STARTTLS"
    talk.server.discards = frozenset({"starttls"})
    assert talk.ask("STARTTLS") == "502 5.5.1 Error: command not implemented"
    assert Talk().ask("STARTTLS") == "502 5.5.1 Error: command not implemented"


def test_220_is_not_held_back_from_a_client_with_many_errors():
    talk = Talk(starttls=True, soft_errors=1, error_sleep=1.0)
    talk.say("FOO\r\n")
    talk.server.wake()
    talk.said()
    assert talk.say("STARTTLS\r\n") == READY


MUST = "530 5.7.0 Must issue a STARTTLS command first"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("HELO x", "250 mx.example.test"),
        ("NOOP", "250 2.0.0 Ok"),
        ("XCLIENT a=b", "550 5.7.0 Error: insufficient authorization"),
        ("FOO", "500 5.5.2 Error: command not recognized"),
        ("QUIT", "221 2.0.0 Bye"),
        *(
            (line, MUST)
            for line in (
                "MAIL FROM:<>", "mail from:<a@example.net>", "RCPT TO:<a@example.test>", "RSET", "VRFY a", "DATA",
                "BDAT 3", "ETRN x", "XFORWARD a=b", "AUTH PLAIN =",
            )
        ),
    ],
)  # fmt: skip
def test_where_tls_is_demanded_nothing_else_is_done_before(line, answer):
    talk = Talk(starttls=True, tls_required=True, auth=True, helo_required=True)
    assert talk.ask(line) == answer
    assert not [
        hook for hook, *_ in talk.hooks.asked if hook in ("mail", "recipient", "data", "auth", "etrn")
    ]


def test_it_is_demanded_until_hands_are_shaken():
    talk = Talk(starttls=True, tls_required=True)
    assert talk.ask("EHLO x", "MAIL FROM:<a@example.net>") == MUST
    assert talk.server.state is State.PLAIN
    talk.say("STARTTLS\r\n")
    shake(talk)
    assert talk.ask("EHLO x", "MAIL FROM:<a@example.net>") == "250 2.1.0 Ok"
