"""AUTH in the machine: the dialogue, its errors, and that no failure ever leaves anybody logged in."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model.reply import Reply
from postroad.proto.hooks import PENDING, Notice
from postroad.proto.machine import Verb

from .conftest import Talk

SUCCESS = Reply(235, "2.7.0", "Authentication successful")
FAILURE = Reply(535, "5.7.8", "Error: authentication failed: no")
USERNAME, PASSWORD = Reply(334, "", "VXNlcm5hbWU6"), Reply(334, "", "UGFzc3dvcmQ6")
BAD = "535 5.7.8 Error: authentication failed: Invalid base64 data in continued response"


class Users(Talk):
    """A session with a LOGIN exchange for alice, whose password is secret, and PLAIN."""

    def __init__(self, **options):
        super().__init__(**({"auth": True} | options))
        self.steps = []
        self.hooks.auth = self._auth
        self.hooks.auth_response = self._respond
        self.say("EHLO x\r\n")

    def _auth(self, mechanism, response):
        self.steps = [mechanism]
        return USERNAME if response is None else self._respond(response)

    def _respond(self, response):
        self.steps.append(response)
        if self.steps[0] == "LOGIN" and len(self.steps) == 2:
            return PASSWORD
        if self.steps in (["LOGIN", b"alice", b"secret"], ["PLAIN", b"\0alice\0secret"]):
            self.server.session.sasl_username, self.server.session.sasl_method = "alice", self.steps[0]
            return SUCCESS
        return FAILURE


@pytest.fixture
def users():
    return Users()


def b64(text):
    return base64.b64encode(text.encode()).decode()


PLAIN = b64("\0alice\0secret")


def test_a_dialogue_ends_well(users):
    assert users.ask("AUTH LOGIN") == "334 VXNlcm5hbWU6"
    assert users.ask(b64("alice")) == "334 UGFzc3dvcmQ6"
    assert users.ask(b64("secret")) == "235 2.7.0 Authentication successful"
    assert users.ask("NOOP") == "250 2.0.0 Ok"
    assert users.server.accepted[Verb.AUTH] == 1


def test_so_does_an_initial_response_and_the_letters_of_a_mechanism_do_not_matter(users):
    assert users.ask(f"auth plain {PLAIN}") == "235 2.7.0 Authentication successful"


def test_the_offer():
    assert "250-AUTH PLAIN LOGIN" in Talk(auth=True).say("EHLO x\r\n")
    broken = Talk(auth=True, auth_twice=True).say("EHLO x\r\n")
    assert broken[broken.index("250-AUTH PLAIN LOGIN") + 1] == "250-AUTH=PLAIN LOGIN"
    nobody = Talk(auth=True)
    nobody.hooks.offered = ""
    hidden = Talk(auth=True)
    hidden.server.auth_hidden = True
    for talk in (nobody, hidden, Talk()):
        assert "AUTH" not in "".join(talk.say("EHLO x\r\n"))
    assert hidden.ask("AUTH X") == "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"


def test_without_an_offer_there_is_no_auth():
    nobody = Talk(auth=True)
    nobody.hooks.offered = ""
    discarded = Talk(auth=True)
    discarded.server.discards = frozenset({"auth"})
    for talk in (nobody, discarded, Talk()):
        assert talk.ask(f"AUTH PLAIN {PLAIN}") == "503 5.5.1 Error: authentication not enabled"
        assert not [hook for hook, *_ in talk.hooks.asked if hook == "auth"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("AUTH", "501 5.5.4 Syntax: AUTH mechanism"),
        ("AUTH PLAIN x y", "501 5.5.4 Syntax: AUTH mechanism"),
        ("AUTH FOO", "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"),
        ("AUTH PLAIN A", "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response"),
        ("AUTH PLAIN AAA", "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response"),
        (
            "AUTH PLAIN AAAAA",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ),
        (
            "AUTH PLAIN AA==AA==",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ),
        (
            "AUTH PLAIN ====",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ),
        (
            "AUTH PLAIN \u00e9\u00e9\u00e9\u00e9",
            "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response",
        ),
        ("AUTH PLAIN =", "535 5.7.8 Error: authentication failed: no"),
    ],
)
def test_what_cannot_be_understood(users, line, answer):
    assert users.ask(line) == answer
    assert users.server.errors == 1
    assert users.server.mechanism == ""
    assert users.ask("NOOP") == "250 2.0.0 Ok"


def test_a_lone_equals_sign_is_an_empty_initial_response(users):
    users.ask("AUTH PLAIN =")
    assert users.steps == ["PLAIN", b""]


def test_the_log_hears_the_mechanism_and_the_reason_only(users):
    users.ask("AUTH f\x01o", "AUTH PLAIN secret!", "AUTH LOGIN", "c2VjcmV0!")
    assert users.hooks.failures == [
        ("f?o", "Invalid authentication mechanism"),
        ("PLAIN", "Invalid base64 data in initial response"),
        ("LOGIN", "Invalid base64 data in continued response"),
    ]


@pytest.mark.parametrize("line", ["x", "=", "* ", "QUIT!", "AUTH PLAIN", " ", "AA=", "\u00ff"])
def test_a_response_that_is_no_base64_ends_the_exchange(users, line):
    users.ask("AUTH LOGIN")
    assert users.ask(line) == BAD
    assert users.ask("NOOP") == "250 2.0.0 Ok"


def test_a_command_in_an_exchange_is_a_response(users):
    users.ask("AUTH LOGIN")
    assert users.ask("QUIT") == "334 UGFzc3dvcmQ6"  # four letters are base64
    assert users.ask("NOOP") == "535 5.7.8 Error: authentication failed: no"
    assert users.server.counts[Verb.QUIT] == users.server.counts[Verb.NOOP] == 0


def test_an_empty_line_is_an_empty_response(users):
    users.ask("AUTH LOGIN", "")
    assert users.steps == ["LOGIN", b""]


def test_a_star_gives_up(users):
    users.ask("AUTH LOGIN", b64("alice"))
    assert users.ask("*") == "501 5.7.0 Authentication aborted"
    assert users.hooks.notices == [(Notice.AUTH_ABORTED, "LOGIN")]
    assert users.hooks.cancelled == 1
    assert users.ask(b64("secret")) == "500 5.5.2 Error: command not recognized"


def test_responses_have_a_limit_of_their_own_and_commands_keep_theirs():
    users = Users(response_limit=12288)
    users.ask("AUTH LOGIN")
    assert users.ask("A" * 12284) == "334 UGFzc3dvcmQ6"
    assert users.ask("A" * 65536) == "500 5.5.6 SASL response limit exceeded"
    assert users.hooks.cancelled == 1
    assert users.hooks.notices[-1] == (Notice.LONG_LINE, "(not shown: it may be a secret)")
    assert users.ask("NOOP") == "250 2.0.0 Ok"
    assert users.server.inbox.limit == users.server.options.line_limit
    answer = users.ask("AUTH PLAIN " + "A" * 65536)
    assert (
        answer == "535 5.7.8 Error: authentication failed: Invalid base64 data in initial response"
    )  # it was cut


def test_only_once_and_not_in_a_transaction(users):
    users.ask(f"AUTH PLAIN {PLAIN}")
    assert users.ask("AUTH LOGIN") == "503 5.5.1 Error: already authenticated"
    fresh = Users()
    assert (
        fresh.ask("MAIL FROM:<a@example.net>", "AUTH LOGIN")
        == "503 5.5.1 Error: MAIL transaction in progress"
    )
    assert fresh.ask("RCPT TO:<b@example.test>", "AUTH") == "503 5.5.1 Error: MAIL transaction in progress"
    assert fresh.ask("BDAT 3 LAST\r\nabc", "AUTH LOGIN") == "334 VXNlcm5hbWU6"


def test_helo_comes_first_where_it_is_demanded():
    talk = Talk(auth=True, helo_required=True)
    assert talk.ask("AUTH PLAIN") == "503 5.5.1 Error: send HELO/EHLO first"


def test_another_try_begins_from_the_beginning(users):
    assert users.ask("AUTH LOGIN", b64("alice"), b64("wrong")).startswith("535 5.7.8")
    assert users.ask(b64("secret")) == "500 5.5.2 Error: command not recognized"
    assert users.ask("AUTH LOGIN", b64("alice"), b64("secret")).startswith("235")


@given(st.lists(st.sampled_from(["AUTH LOGIN", "AUTH PLAIN", b64("alice"), b64("wrong"), "*", "=", "A", "RSET", f"AUTH PLAIN {b64('x')}"]), max_size=12))  # fmt: skip
@settings(max_examples=150)
def test_no_order_of_failures_logs_anybody_in(lines):
    users = Users()
    users.ask(*lines)
    assert users.server.session.sasl_username == ""
    assert users.server.accepted[Verb.AUTH] == 0


WHOLE = f"EHLO x\r\nAUTH LOGIN\r\n{b64('alice')}\r\n{b64('secret')}\r\nMAIL FROM:<a@example.net>\r\n".encode()


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_how_the_bytes_are_cut_never_matters(places):
    marks = [0, *sorted(set(places)), len(WHOLE)]
    users, said = Users(), []
    for a, b in itertools.pairwise(marks):
        said += users.say(WHOLE[a:b])
    assert said[-4:] == [
        "334 VXNlcm5hbWU6",
        "334 UGFzc3dvcmQ6",
        "235 2.7.0 Authentication successful",
        "250 2.1.0 Ok",
    ]


def test_an_answer_that_comes_later_is_waited_for(users):
    users.hooks.auth = lambda _mechanism, _response: PENDING
    assert users.say("AUTH LOGIN\r\n") == []
    assert users.say(f"{b64('alice')}\r\n") == []
    users.steps = ["LOGIN"]
    users.server.answer(USERNAME)
    assert users.said() == ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"]


@pytest.mark.parametrize("when", ["asked", "challenged"])
def test_a_client_that_leaves_cancels_its_exchange(users, when):
    if when == "asked":
        users.hooks.auth = lambda _mechanism, _response: PENDING
    users.say("AUTH LOGIN\r\n")
    users.server.close()
    assert users.hooks.cancelled == 1
    assert users.server.mechanism == ""
    idle = Users()
    idle.server.close()
    assert idle.hooks.cancelled == 0


def test_too_many_failures_end_the_session():
    users = Users(hard_errors=3)
    users.ask("AUTH PLAIN AA==", "AUTH PLAIN AA==")
    assert users.say("AUTH PLAIN AA==\r\n")[-1] == "421 4.7.0 mx.example.test Error: too many errors"


def test_a_refused_service_says_so(users):
    users.hooks.auth = lambda _mechanism, _response: None
    assert users.ask("AUTH PLAIN") == "503 5.5.1 Error: authentication not enabled"


def test_for_whom_a_client_sends_is_noted_once_and_for_one_transaction(users):
    session = users.server.session
    users.ask("MAIL FROM:<a@example.net> AUTH=b+2Bc@example.net")
    assert session.sasl_sender == "b+2Bc@example.net"
    users.ask("RSET")
    assert session.sasl_sender == ""
    users.ask("MAIL FROM:<a@example.net> AUTH=<>")
    assert session.sasl_sender == ""
    users.ask("RSET")
    twice = users.ask("MAIL FROM:<a@example.net> AUTH=a AUTH=b")
    assert twice == "503 5.5.4 Error: multiple AUTH= options"
    assert users.ask("RCPT TO:<b@example.test>") == "503 5.5.1 Error: need MAIL command"


SECRET = b64("\0alice\0s3cret")


@pytest.mark.parametrize(
    "lines",
    [
        [f"HELO x\r\nAUTH PLAIN {SECRET}"],
        [f"HELO x\r\nauth\tplain\t{SECRET}"],
        ["HELO x\r\nAUTH LOGIN\r\ns3cret"],
        ["HELO x", f"AUTH LOGIN\r\nAAAA\r\n{SECRET}"],
        ["AUTH FOO\r\ns3cret", "s3cret:"],
        ["AUTH FOO", "s3cret: x", SECRET.lower()],
        [f"AUTH PLAIN {SECRET}" + "A" * 4000],
        ["AUTH LOGIN", SECRET + "A" * 20000],
        ["AUTH LOGIN", "*", SECRET + "A" * 20000],
        [f"EHLO x\r\nMAIL FROM:<>\r\nAUTH PLAIN {SECRET}\r\nQUIT"],
    ],
)
def test_no_secret_is_in_any_notice_whatever_comes_out_of_turn(lines):
    users = Users(forbidden_words=True)
    users.hooks.is_forbidden = lambda word: word[:1].islower()
    for line in lines:
        users.say(line + "\r\n")
    told = str(users.hooks.notices) + str(users.hooks.failures)
    assert "s3cret" not in told
    assert SECRET[:12].lower() not in told.lower()


def test_what_is_not_secret_is_still_told():
    talk = Talk()
    talk.say("HELO x\r\nNOOP auth plain secret\r\n")
    assert talk.hooks.notices == [(Notice.PIPELINING, "NOOP auth plain secret\\r\\n")]
    hidden = Talk()
    hidden.say("HELO x\r\nAUTH PLAIN secret\r\n")
    assert hidden.hooks.notices == [(Notice.PIPELINING, "AUTH PLAIN (not shown: it may be a secret)")]
