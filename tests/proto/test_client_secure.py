"""STARTTLS and AUTH in memory: the driver is the test, and no TLS is there."""

import base64

import pytest

from postroad.model.outcome import Outcome
from postroad.proto.client import ClientSession
from postroad.proto.client_stages import CLOSED, IDLE, TLS, Event
from postroad.proto.client_values import Manners, Peer, Terms
from postroad.proto.sasl.client import Credentials, choose
from postroad.proto.sasl.client_values import SaslError

MAY, ENCRYPT = Terms(tls=True), Terms(tls=True, required=True)
OFFER = "250-there\r\n250-PIPELINING\r\n250 STARTTLS"
LOGIN = Terms(login=True)
SECRET = base64.b64encode(b"\0user\0word").decode()


class Talk:
    """A conversation: ``says`` is what the server says, ``said`` what was sent, ``warnings`` the warnings."""

    def __init__(self, terms, *replies, lmtp=False, mechanism="PLAIN", cut=0, logs_in=True):
        self.warnings = []
        manners = Manners("me.example", str, lmtp=lmtp, hostname="me.example")
        self.session = ClientSession(
            manners, Peer("there", "192.0.2.1", 25), self.warnings.append, terms=terms
        )
        self.said = ""
        self.event = Event.WAIT
        self.mechanism, self.cut, self.logs_in = mechanism, cut, logs_in
        for reply in replies:
            self.hear(reply)

    def hear(self, reply):
        data = reply.encode() + b"\r\n"
        pieces = [data[at : at + self.cut] for at in range(0, len(data), self.cut)] if self.cut else [data]
        for piece in pieces:
            self.session.feed(piece)
            self.step()
        return self

    def step(self):
        while (event := self.session.next_event()) is not Event.WAIT:
            self.event = event
            if event is Event.REFUSED:
                break
            if event is Event.LOGIN and self.logs_in:
                exchange = choose(self.session.features.auth, Credentials("user", "word"), tls=True)
                self.event = self.session.log_in(exchange) or event
        self.said += self.session.take().decode()

    def secured(self, **how):
        how = {"verified": False} | how
        self.event = self.session.secured(**how) or self.event
        self.step()
        return self

    @property
    def failure(self):
        failure = self.session.failure
        return failure and (failure.status, failure.text)


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_the_conversation_begins_again_behind_tls(cut):
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go", cut=cut)
    assert talk.event is Event.START_TLS
    assert talk.said == "EHLO me.example\r\nSTARTTLS\r\n"
    talk.secured(verified=True)
    assert not talk.session.features.offers
    talk.hear("250-there\r\n250 DSN")
    assert talk.event is Event.READY
    assert talk.session.features.offers == {"DSN"}
    assert talk.session.encrypted
    assert talk.session.verified
    assert talk.said.endswith("STARTTLS\r\nEHLO me.example\r\n")


def test_starttls_is_said_once():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go").secured().hear(OFFER)
    assert talk.event is Event.READY
    assert talk.said.count("STARTTLS") == 1


def test_lmtp_says_lhlo_again():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go", lmtp=True).secured().hear("250 there")
    assert talk.said == "LHLO me.example\r\nSTARTTLS\r\nLHLO me.example\r\n"
    assert talk.event is Event.READY


def test_ehlo_may_be_refused_behind_tls():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go").secured().hear("502 what?").hear("250 there")
    assert talk.said.endswith("EHLO me.example\r\nHELO me.example\r\n")
    assert talk.event is Event.READY


def test_without_terms_starttls_is_not_said():
    talk = Talk(None, "220 there", OFFER)
    assert talk.event is Event.READY
    assert "STARTTLS" not in talk.said


@pytest.mark.parametrize(
    ("terms", "replies", "expected"),
    [
        (ENCRYPT, ["250 there"], ("4.7.4", "TLS is required, but was not offered by host there[192.0.2.1]")),
        (
            ENCRYPT,
            ["500 what?", "250 there"],
            ("4.7.4", "TLS is required, but was not offered by host there[192.0.2.1]"),
        ),
        (
            ENCRYPT,
            [OFFER, "454 4.7.0 no"],
            ("4.7.0", "TLS is required, but host there[192.0.2.1] refused to start TLS: 454 4.7.0 no"),
        ),
        (
            ENCRYPT,
            [OFFER, "502 5.5.1 no"],
            ("4.5.1", "TLS is required, but host there[192.0.2.1] refused to start TLS: 502 5.5.1 no"),
        ),
        (
            Terms(tls=True, required=True, engine=False),
            [OFFER],
            ("4.7.5", "TLS is required, but our TLS engine is unavailable"),
        ),
        (
            Terms(tls=True, required=True, engine=False),
            ["250 there"],
            ("4.7.4", "TLS is required, but was not offered by host there[192.0.2.1]"),
        ),
    ],
)
def test_where_it_is_required_nothing_goes_on_without(terms, replies, expected):
    talk = Talk(terms, "220 there", *replies)
    assert talk.event is Event.REFUSED
    assert talk.failure == expected
    assert talk.session.failure.relay == "there[192.0.2.1]:25"


@pytest.mark.parametrize("reply", ["250 there", OFFER.replace("STARTTLS", "SIZE")])
def test_where_it_is_welcome_no_offer_is_no_matter(reply):
    assert Talk(MAY, "220 there", reply).event is Event.READY


def test_where_it_is_welcome_a_refusal_is_no_matter():
    talk = Talk(MAY, "220 there", OFFER, "454 no")
    assert talk.event is Event.READY
    assert talk.session.features.pipelining
    assert not talk.session.encrypted


def test_421_is_the_end_whatever_the_terms():
    talk = Talk(MAY, "220 there", OFFER, "421 bye")
    assert talk.event is Event.REFUSED
    assert talk.failure == ("4.0.0", "host there[192.0.2.1] refused to talk to me: 421 bye")


def test_without_an_engine_welcome_tls_is_forgone():
    talk = Talk(Terms(tls=True, engine=False), "220 there", OFFER)
    assert talk.event is Event.READY


@pytest.mark.parametrize("terms", [MAY, ENCRYPT])
@pytest.mark.parametrize("more", ["250 Ok", "2", "250-there", ""])
def test_what_comes_behind_220_is_never_used(terms, more):
    talk = Talk(terms, "220 there", OFFER)
    talk.session.feed(b"220 go\r\n" + more.encode() + b"\r\n")
    talk.step()
    assert talk.event is Event.REFUSED
    assert talk.failure[0] == "4.5.0"
    assert talk.session.stage is CLOSED


@pytest.mark.parametrize("more", ["250 Ok", "2"])
def test_what_comes_behind_a_refusal_is_never_used(more):
    talk = Talk(MAY, "220 there", OFFER)
    talk.session.feed(b"454 no\r\n" + more.encode() + b"\r\n")
    talk.step()
    assert talk.event is Event.REFUSED


def test_an_answer_before_the_first_command_behind_tls_is_somebody_elses():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go").secured(early=True)
    assert talk.event is Event.REFUSED
    assert talk.failure[0] == "4.5.0"
    assert talk.said.endswith("STARTTLS\r\n")


def test_half_a_reply_from_before_tls_is_not_completed_behind_it():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go")
    talk.session.feed(b"250-evil\r\n")  # a driver gives none; if one does
    talk.secured().hear("250 there")
    assert talk.session.features.name == "there"


def test_wrapper_mode_begins_with_tls():
    talk = Talk(Terms(tls=True, required=True, wrapper=True))
    assert talk.session.stage is TLS
    talk.secured(early=True).hear("220 there").hear("250 there")
    assert talk.event is Event.READY
    assert talk.said == "EHLO me.example\r\n"


@pytest.mark.parametrize("timed_out", [True, False])
def test_a_connection_lost_in_the_handshake_is_a_failed_handshake(timed_out):
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go")
    assert talk.session.fail(timed_out=timed_out) is Event.REFUSED
    assert talk.failure == ("4.7.5", "Cannot start TLS: handshake failure")


def test_a_failed_handshake_is_the_end():
    talk = Talk(MAY, "220 there", OFFER, "220 go")
    assert talk.session.insecure() is Event.REFUSED
    assert talk.failure == ("4.7.5", "Cannot start TLS: handshake failure")
    assert talk.session.stage is CLOSED


def test_a_certificate_that_is_not_the_wanted_one_refuses():
    talk = Talk(ENCRYPT, "220 there", OFFER, "220 go")
    assert talk.session.refuse(Outcome("4.7.5", "no")) is Event.REFUSED
    talk.session.quit()
    assert talk.session.take() == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (None, "lost connection with there[192.0.2.1] while receiving the STARTTLS response"),
        ("garbage", None),
    ],
)
def test_no_answer_to_starttls_says_so(reply, text):
    talk = Talk(ENCRYPT, "220 there", OFFER)
    if reply is None:
        assert talk.session.fail() is Event.REFUSED
        assert talk.failure == ("4.4.2", text)
    else:
        talk.hear(reply)
        assert talk.event is Event.REFUSED


# --- AUTH


@pytest.mark.parametrize("cut", [0, 1])
def test_a_login_with_an_initial_response(cut):
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH PLAIN", "235 2.7.0 welcome", cut=cut)
    assert talk.event is Event.READY
    assert talk.session.stage is IDLE
    assert talk.said.splitlines()[1] == f"AUTH PLAIN {SECRET}"


def test_a_login_that_the_server_begins():
    talk = Talk(
        LOGIN, "220 there", "250-there\r\n250 AUTH LOGIN", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok"
    )
    assert talk.event is Event.READY
    assert talk.said.splitlines()[1:] == ["AUTH LOGIN", "dXNlcg==", "d29yZA=="]


def test_a_server_without_auth_is_used_without_login():
    assert Talk(LOGIN, "220 there", "250 there").event is Event.READY


def test_login_comes_behind_tls():
    talk = Talk(Terms(tls=True, login=True), "220 there", OFFER.replace("PIPELINING", "AUTH PLAIN"), "220 go")
    assert "AUTH" not in talk.said
    talk.secured().hear("250-there\r\n250 AUTH PLAIN").hear("235 ok")
    assert talk.event is Event.READY


@pytest.mark.parametrize(
    ("reply", "status"), [("535 5.7.8 wrong", "5.7.8"), ("454 4.7.0 later", "4.7.0"), ("535 wrong", "5.0.0")]
)
def test_a_refused_login_says_what_the_server_said(reply, status):
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH PLAIN", reply)
    assert talk.event is Event.REFUSED
    text = f"SASL authentication failed; server there[192.0.2.1] said: {reply}"
    assert talk.failure == (status, text)
    assert talk.session.login_reply.code == int(reply[:3])


def test_a_server_that_repeats_the_password_does_not_bring_it_into_the_log():
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH PLAIN", f"535-no {SECRET}\r\n535 {SECRET}!")
    assert talk.failure[1].endswith("said: 535-no * 535 *!")
    assert SECRET not in talk.session.failure.reply + talk.session.login_reply.text


@pytest.mark.parametrize("challenge", ["334 !!!", "334 A", "334-VXNl\r\n334 cm5h"])
def test_a_malformed_challenge_ends_the_conversation(challenge):
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH LOGIN", challenge)
    assert talk.event is Event.REFUSED
    assert talk.session.stage is CLOSED
    assert talk.failure == (
        "4.7.0",
        "SASL authentication failed; cannot authenticate to server there[192.0.2.1]: bad protocol / cancel: malformed challenge",
    )


class Endless:
    name = "ENDLESS"

    def __init__(self, error=""):
        self.error = error

    def initial(self):
        return b""

    def respond(self, challenge):
        if self.error:
            raise SaslError(self.error)
        return challenge

    def finished(self, final=None):
        raise SaslError("the server has not proved itself")


def endless(**more):
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH ENDLESS", logs_in=False)
    assert talk.event is Event.LOGIN
    talk.session.log_in(Endless(**more))
    talk.step()
    return talk


def test_an_empty_initial_response_is_an_equals_sign():
    assert endless().said.endswith("AUTH ENDLESS =\r\n")


def test_a_login_does_not_last_for_ever():
    talk = endless()
    for _ in range(30):
        if talk.event is Event.REFUSED:
            break
        talk.hear("334 YWJj")
    text = "SASL authentication failed; authentication protocol loop with server there[192.0.2.1]"
    assert talk.failure == ("4.7.0", text)
    assert talk.said.count("YWJj") < 25


def test_a_server_that_breaks_the_mechanism_is_hung_up_on():
    talk = endless(error="bad challenge").hear("334 YWJj")
    assert talk.failure[1].endswith("there[192.0.2.1]: bad challenge")
    assert talk.session.stage is CLOSED
    assert "YWJj" not in talk.said


def test_a_server_that_has_not_proved_itself_gets_no_mail():
    talk = endless().hear("235 welcome")
    assert talk.event is Event.REFUSED
    assert talk.failure[1].endswith("the server has not proved itself")


def test_an_answer_too_many_in_a_login_is_never_used():
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH PLAIN")
    talk.session.feed(b"235 ok\r\n250 more\r\n")
    talk.step()
    assert talk.event is Event.REFUSED


def test_an_answer_before_the_mechanism_is_chosen_is_never_used():
    talk = Talk(LOGIN, "220 there", "250-there\r\n250 AUTH PLAIN", logs_in=False).hear("235 welcome")
    assert talk.event is Event.REFUSED
    assert talk.said == "EHLO me.example\r\n"
