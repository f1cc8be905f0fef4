"""The dialogue with clients under test: what is said, what is noticed, and that no mail is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.reply import Reply
from postroad.proto.postscreen import Dialogue, DialogueOptions, Notice
from postroad.proto.screening import Action, Progress, Terms, Test

NOW = 1_700_000_000
TERMS = Terms(Test.LATE, (1, 1, 100, 200, 300))
ENFORCED = dict.fromkeys((Test.PIPELINING, Test.NON_SMTP, Test.BARE_NEWLINE), Action.ENFORCE)
OPTIONS = DialogueOptions(
    hostname="mx.example",
    size_limit=1000,
    line_limit=2048,
    command_limit=20,
    smtputf8=True,
    vrfy=True,
    helo_required=False,
    starttls=False,
    tls_required=False,
    actions=ENFORCED,
    is_forbidden=lambda word: word.upper() in ("CONNECT", "GET"),
)
LATER = "450 4.3.2 Service currently unavailable"
ERROR = "550 5.5.1 Protocol error"


class World:
    """A dialogue and what was heard of it."""

    def __init__(self, *, terms=TERMS, refusal=None, without=frozenset(), failed=Test.NONE, **changes):
        self.heard = []
        self.progress = Progress(terms, None, NOW)
        self.progress.failed |= failed
        options = replace(OPTIONS, **changes)
        self.dialogue = Dialogue(options, self.progress, self, refusal=refusal, without=without)

    def notice(self, what, *values):
        self.heard.append((what, *values))

    def until(self, test):
        return NOW + {Test.PIPELINING: 100, Test.NON_SMTP: 200, Test.BARE_NEWLINE: 300}.get(test, 7)

    def footed(self, reply):
        return reply

    def rewritten(self, line):
        return {"LIFE": "NOOP", "DOWN": None, "SPLIT": "GET x"}.get(line, line)

    def say(self, *lines):
        """Say whole lines one after the other; return the replies."""
        said = []
        for line in lines:
            self.dialogue.feed(line.encode("latin-1") + b"\r\n")
            said.append(self.replies())
        return said[0] if len(lines) == 1 else said

    def replies(self):
        text = b"".join(self.dialogue.out).decode()
        self.dialogue.out.clear()
        return text.removesuffix("\r\n").replace("\r\n", "|")


def test_a_client_that_behaves_is_put_off_and_passes():
    world = World()
    said = world.say("EHLO c.example", "MAIL FROM:<s@c.example> SIZE=9", "RCPT TO:<r@x.example>", "QUIT")
    assert said == [
        (
            "250-mx.example|250-SIZE 1000|250-VRFY|250-ETRN|250-ENHANCEDSTATUSCODES|250-8BITMIME|250-DSN"
            "|250-SMTPUTF8|250 CHUNKING"
        ),
        "250 2.1.0 Ok",
        LATER,
        "221 2.0.0 Bye",
    ]
    assert world.dialogue.closed
    assert world.progress.complete
    assert world.progress.record(TERMS)[2:] == (NOW + 100, NOW + 200, NOW + 300)
    assert world.heard == [(Notice.REFUSED, LATER, "s@c.example", "r@x.example", "ESMTP", "c.example")]


def test_who_does_not_come_as_far_as_rcpt_has_passed_nothing():
    world = World()
    world.say("EHLO c.example", "MAIL FROM:<s@c.example>", "QUIT")
    assert world.progress.record(TERMS) is None


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_input_may_be_cut_anywhere(piece):
    world = World(terms=Terms(Test.NONE, TERMS.lives))
    data = b"HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n"
    lines = sum(world.dialogue.feed(data[at : at + piece]) for at in range(0, len(data), piece))
    assert lines == 4
    assert world.replies() == f"250 mx.example|250 2.1.0 Ok|{LATER}|221 2.0.0 Bye"


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ([""], "502 5.5.2 Error: command not recognized"),
        (["FOO bar"], "502 5.5.2 Error: command not recognized"),
        (["RCPT\tTO:<a@b>"], "502 5.5.2 Error: command not recognized"),
        (["AUTH PLAIN"], "502 5.5.2 Error: command not recognized"),
        (["HELO"], "501 Syntax: HELO hostname"),
        (["EHLO "], "501 Syntax: EHLO hostname"),
        (["VRFY"], "501 5.5.4 Syntax: VRFY address"),
        (["VRFY x"], LATER),
        (["ETRN"], "500 Syntax: ETRN domain"),
        (["ETRN x"], "458 Unable to queue messages"),
        ([" noop"], "250 2.0.0 Ok"),
        (["RSET x"], "250 2.0.0 Ok"),
        (["MAIL"], "501 5.5.4 Syntax: MAIL FROM:<address>"),
        (["MAIL FROM"], "501 5.5.4 Syntax: MAIL FROM:<address>"),
        (["MAIL FROM:"], "250 2.1.0 Ok"),
        (["MAIL FROM:<>", "MAIL FROM:<a@b>"], "503 5.5.1 Error: nested MAIL command"),
        (["RCPT TO:<a@b>"], "503 5.5.1 Error: need MAIL command"),
        (["MAIL FROM:<>", "RSET", "RCPT TO:<a@b>"], "503 5.5.1 Error: need MAIL command"),
        (["MAIL FROM:<>", "EHLO x", "RCPT TO:<a@b>"], "503 5.5.1 Error: need MAIL command"),
        (["MAIL FROM:<>", "RCPT"], "501 5.5.4 Syntax: RCPT TO:<address>"),
        (["MAIL FROM:<>", "RCPT TO :<a@b>"], LATER),
        (["STARTTLS"], "502 5.5.1 Error: command not implemented"),
    ],
)
def test_replies(lines, reply):
    world = World()
    said = world.say("NOOP", *lines)
    assert said[-1] == reply
    assert not world.dialogue.closed


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (["DATA"], "503 5.5.1 Error: need RCPT command"),
        (["MAIL FROM:<>", "RCPT TO:<a@b>", "DATA"], "554 5.5.1 Error: no valid recipients"),
        (["MAIL FROM:<>", "DATA x"], "501 5.5.4 Syntax: DATA"),
        (["BDAT"], "501 5.5.4 Syntax: BDAT count [LAST]"),
        (["BDAT 3 LAST"], "554 5.5.1 Error: need MAIL command"),
        (["MAIL FROM:<>", "BDAT 3"], "554 5.5.1 Error: no valid recipients"),
    ],
)
def test_who_would_send_a_message_is_hung_up_on(lines, reply):
    world = World()
    assert world.say("NOOP", *lines)[-1] == reply
    assert world.dialogue.closed
    assert world.heard[-1] == (Notice.WITHOUT_RCPT, lines[-1].partition(" ")[0])
    world.dialogue.feed(b"MAIL FROM:<x@y>\r\n")
    assert world.replies() == ""


def test_settings_refuse_vrfy_and_demand_helo():
    world = World(vrfy=False, helo_required=True, without=frozenset({"dsn"}))
    said = world.say("VRFY x", "MAIL FROM:<a@b>", "ETRN x", "EHLO x")
    assert said[:2] == ["502 5.5.1 VRFY command is disabled", "503 5.5.1 Error: send HELO/EHLO first"]
    assert said[2] == said[1]
    assert "DSN" not in said[3]


def test_what_follows_bdat_is_no_command_that_came_too_early():
    world = World()
    world.dialogue.feed(b"BDAT 3\r\nabc")
    assert world.heard == [(Notice.WITHOUT_RCPT, "BDAT")]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<@relay.example:a@b>", "a@b"),
        ('<"a b"@c> X=Y', "a b@c"),
        ("a@b  X=Y", "a@b"),
        ('<a"b@c>', "ab@c>"),
        ("<a\\>b@c>", "a>b@c"),
        ("<x@b", "x@b"),
        ("<a@b>,<c@d>", "a@b"),
        ("<caf\xc3\xa9@b>", "café@b"),
        ("<\xff@b>", "\udcff@b"),
    ],
)
def test_the_address_for_the_log(text, address):
    world = World()
    world.say("MAIL FROM:<>", f"RCPT TO:{text}")
    assert world.heard[-1][3] == address


# --- the tests


@pytest.mark.parametrize("action", Action)
def test_commands_that_come_before_an_answer(action):
    world = World(actions={**ENFORCED, Test.PIPELINING: action})
    world.dialogue.feed(b"EHLO x\r\nMAIL FROM:<a@b>\r\n")
    assert world.heard == [(Notice.PIPELINING, "EHLO", "MAIL FROM:<a@b>\r\n")]
    if action is Action.DROP:
        assert world.replies() == "521 5.5.1 Protocol error"
        assert world.dialogue.closed
        return
    assert world.replies().endswith("|250 2.1.0 Ok")
    assert world.say("RCPT TO:<c@d>") == (ERROR if action is Action.ENFORCE else LATER)
    passed = world.progress.record(TERMS)
    assert passed is None if action is Action.ENFORCE else passed[2:] == (NOW + 7, NOW + 200, NOW + 300)


@pytest.mark.parametrize("word", ["CONNECT host:25", "get /", "Subject: x", "x:y", "a\xff"])
def test_commands_of_another_protocol(word):
    world = World(actions={**ENFORCED, Test.NON_SMTP: Action.DROP})
    assert world.say("NOOP", word)[-1] == "521 5.7.0 Error: I can break rules, too. Goodbye."
    command, _, rest = word.encode("latin-1").decode("utf-8", "surrogateescape").partition(" ")
    assert world.heard == [(Notice.NON_SMTP, "NOOP", command, rest)]
    assert world.dialogue.closed


@pytest.mark.parametrize("word", [": x", "a b: c", "FOO"])
def test_unknown_words_alone_are_no_other_protocol(word):
    world = World()
    assert world.say(word) == "502 5.5.2 Error: command not recognized"
    assert world.heard == []


def test_lines_that_end_with_a_line_feed_alone():
    world = World()
    world.dialogue.feed(b"EHLO x\n")
    assert world.heard == [(Notice.BARE_NEWLINE, "EHLO x")]
    world.dialogue.feed(b"NOOP\n")
    assert len(world.heard) == 1  # once is enough
    assert world.say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")[-1] == ERROR
    assert world.progress.record(TERMS) is None


def test_tests_that_are_not_in_use_see_nothing():
    world = World(terms=Terms(Test.PREGREET, TERMS.lives))
    world.dialogue.feed(b"GET /\nNOOP\r\n")
    assert world.heard == []


def test_of_who_has_failed_already_the_log_hears_everything():
    refusal = Reply(550, "5.3.2", "Service currently unavailable")
    world = World(terms=Terms(Test.NONE, TERMS.lives), failed=Test.ACCESS, refusal=refusal)
    assert world.say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")[-1] == refusal.line()
    world.say("GET /")
    assert [each[0] for each in world.heard] == [Notice.REFUSED, Notice.NON_SMTP]


def test_a_test_that_is_passed_can_still_be_failed():
    world = World()
    world.say("MAIL FROM:<a@b>", "RCPT TO:<c@d>")
    world.say("GET /")
    assert world.progress.record(TERMS) is None


# --- limits


def test_what_stands_in_place_of_a_command_is_carried_out():
    world = World(filtered=True)
    assert world.say("LIFE", "NOOP") == ["250 2.0.0 Ok", "250 2.0.0 Ok"]
    assert world.say("SPLIT") == "502 5.5.2 Error: command not recognized"
    assert world.heard == [(Notice.NON_SMTP, "NOOP", "GET", "x")]
    assert World().say("LIFE") == "502 5.5.2 Error: command not recognized"


def test_a_command_whose_meaning_is_not_known_ends_it():
    world = World(filtered=True)
    assert world.say("DOWN") == "421 4.3.0 mx.example Server local data error"
    assert world.dialogue.closed


def test_commands_are_counted():
    world = World()
    said = world.say(*["NOOP"] * 21)
    assert set(said[:20]) == {"250 2.0.0 Ok"}
    assert said[20] == "421 mx.example Service unavailable - try again later"
    assert world.heard == [(Notice.COUNT_LIMIT, "NOOP")]
    assert world.dialogue.closed


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_command_has_a_longest_length(end):
    world = World()
    assert world.dialogue.feed(b"N" * 2047) == 0
    assert not world.dialogue.closed
    world.dialogue.feed(b"N" * 1_000_000 + end)
    assert world.replies() == "421 mx.example Service unavailable - try again later"
    assert world.heard == [(Notice.LENGTH_LIMIT, "CONNECT")]


def test_a_command_has_a_longest_time():
    world = World()
    world.say("NOOP")
    world.dialogue.expire()
    assert world.replies() == "421 4.4.2 mx.example Error: timeout exceeded"
    assert (world.heard, world.dialogue.closed) == ([(Notice.TIME_LIMIT, "NOOP")], True)


_PIECE = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"\r\n",
            b"\n",
            b"EHLO x",
            b"MAIL FROM:<",
            b"RCPT TO:<",
            b">",
            b"STARTTLS\r\n",
            b"DATA\r\n",
            b"GET /\r\n",
        ]
    ),
)


@given(st.lists(_PIECE, max_size=60), st.sampled_from(list(Action)))
def test_no_input_takes_mail_or_breaks_anything(pieces, action):
    world = World(failed=Test.ACCESS, starttls=True, actions=dict.fromkeys(ENFORCED, action))
    for piece in pieces:
        world.dialogue.feed(piece)
    codes = {reply[:3] for reply in world.dialogue.out}
    assert codes <= {
        b"220",
        b"221",
        b"250",
        b"421",
        b"450",
        b"458",
        b"500",
        b"501",
        b"502",
        b"503",
        b"521",
        b"550",
        b"554",
    }
    assert len(world.dialogue.out) <= OPTIONS.command_limit + 1
    assert world.progress.record(TERMS) is None


# --- TLS


def test_tls_begins_anew_and_forgets_what_came_behind_the_command():
    world = World(starttls=True, terms=Terms(Test.NONE, TERMS.lives))
    assert "STARTTLS" in world.say("EHLO plain")
    world.say("MAIL FROM:<a@b>")
    assert world.say("STARTTLS now") == "501 5.5.4 Syntax: STARTTLS"
    world.dialogue.feed(b"STARTTLS\r\nRCPT TO:<injected@x>\r\n")
    assert world.replies() == "220 2.0.0 Ready to start TLS"
    assert world.dialogue.upgrading
    world.dialogue.secured()
    assert world.say("RCPT TO:<c@d>", "STARTTLS") == [
        "503 5.5.1 Error: need MAIL command",
        "554 5.5.1 Error: TLS already active",
    ]
    assert "STARTTLS" not in world.say("EHLO x")
    assert world.heard == []


def test_where_tls_is_demanded_nothing_goes_without():
    world = World(starttls=True, tls_required=True)
    said = world.say("EHLO x", "MAIL FROM:<a@b>", "DATA", "NOOP")
    assert said[1:] == ["530 5.7.0 Must issue a STARTTLS command first"] * 2 + ["250 2.0.0 Ok"]
    assert not world.dialogue.closed
