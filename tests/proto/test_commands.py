from __future__ import annotations

import pytest

from postroad.model.message import NEVER
from postroad.model.reply import Reply
from postroad.proto.hooks import Notice
from postroad.proto.machine import Verb

from .conftest import Talk


def test_ehlo_announces_in_postfix_order(talk):
    assert talk.say("EHLO client.example\r\n") == [
        "250-mx.example.test",
        "250-PIPELINING",
        "250-SIZE 10240000",
        "250-VRFY",
        "250-ETRN",
        "250-ENHANCEDSTATUSCODES",
        "250-8BITMIME",
        "250-DSN",
        "250-SMTPUTF8",
        "250 CHUNKING",
    ]
    assert talk.server.session.protocol == "ESMTP"


def test_helo_does_not_take_esmtp_back(talk):
    talk.ask("EHLO a", "HELO b")
    assert (talk.server.session.helo, talk.server.session.protocol) == ("b", "ESMTP")


@pytest.mark.parametrize("verb", ["HELO", "EHLO"])
def test_a_greeting_needs_a_name(talk, verb):
    assert talk.ask(verb) == f"501 Syntax: {verb} hostname"
    assert talk.server.session.helo == ""


def test_the_protocol_is_esmtp_once_ehlo_is_accepted(talk):
    protocols = []
    talk.hooks.helo = lambda: protocols.append(talk.server.session.protocol)
    talk.ask("EHLO a", "EHLO b")
    assert protocols == ["SMTP", "ESMTP"]


def test_a_name_is_judged_as_it_was_said(talk):
    seen = []
    talk.hooks.helo = lambda: seen.append(talk.server.session.helo)
    talk.ask("EHLO a@b")
    assert seen == ["a@b"]


def test_a_name_is_neutered_once_it_is_accepted(talk):
    talk.ask('EHLO a<b>c;d:e@f,g"h"\\i/j')
    assert talk.server.session.helo == "a?b?c?d:e?f,g?h??i/j"


def test_a_refused_greeting_leaves_the_old_one(talk):
    talk.ask("HELO a")
    talk.hooks.replies["helo"] = Reply(550, "5.7.1", "no")
    assert talk.ask("EHLO b") == "550 5.7.1 no"
    assert (talk.server.session.helo, talk.server.session.protocol) == ("a", "SMTP")


def test_keywords_taken_away_are_logged_unless_silently(make_talk):
    for extra, notices in ((set(), 1), ({"silent-discard"}, 0)):
        talk = make_talk()
        talk.server.discards = frozenset({"dsn", "chunking"} | extra)
        lines = talk.say("EHLO x\r\n")
        assert not any("DSN" in line or "CHUNKING" in line for line in lines)
        assert len(talk.hooks.notices) == notices


def test_parameters_of_keywords_taken_away_are_refused(talk):
    talk.server.discards = frozenset({"dsn", "chunking", "smtputf8"})
    assert talk.ask("MAIL FROM:<a@example.net> RET=HDRS") == "501 5.7.1 DSN support is disabled"
    assert talk.ask("MAIL FROM:<a@example.net> SMTPUTF8").startswith("555")
    talk.to("rcpt")
    assert talk.ask("RCPT TO:<b@example.test> NOTIFY=NEVER") == "501 5.7.1 DSN support is disabled"
    assert talk.ask("BDAT 3") == "521 5.5.1 Error: command not implemented"
    assert talk.server.closed


@pytest.mark.parametrize(
    "line",
    ["MAIL FROM:<a@example.net>", "mail from: a@example.net", "MAIL FROM:<a@example.net> SIZE=10 BODY=7BIT"],
)
def test_the_quick_way_and_the_general_way_agree(talk, line):
    assert talk.ask(line) == "250 2.1.0 Ok"
    assert talk.server.session.transaction.sender == "a@example.net"
    assert talk.server.counts[Verb.MAIL] == talk.server.accepted[Verb.MAIL] == 1


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM <a@example.net>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<a@example.net", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<a b@example.net>", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<a@example..net>", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<-a@example.net>", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<a@b\u00fccher.example>", "501 5.1.7 Bad sender address syntax"),
        ("MAIL FROM:<a@b\u00fccher.example> SMTPUTF8", "250 2.1.0 Ok"),
        ("MAIL FROM:<\u00e4@example.net>", "250 2.1.0 Ok"),
        ("MAIL FROM:<a@example.net> SIZE=10240001", "552 5.3.4 Message size exceeds fixed limit"),
        ("MAIL FROM:<a@example.net> FOO=1", "555 5.5.4 Unsupported option: FOO=1"),
        ("MAIL FROM:<>", "250 2.1.0 Ok"),
    ],
)
def test_mail_is_answered_as_postfix_answers_it(talk, line, answer):
    assert talk.ask(line) == answer


def test_a_size_over_the_limit_is_logged_as_a_refusal(talk):
    talk.ask("MAIL FROM:<a@example.net> SIZE=10240001")
    assert talk.hooks.logged[0].code == 552
    assert talk.server.session.transaction.sender is None


def test_strictness_is_the_operators_choice(make_talk):
    strict = make_talk(strict_envelopes=True)
    assert strict.ask("MAIL FROM:a@example.net").startswith("501")
    assert strict.ask("MAIL FROM: <a@example.net>") == "250 2.1.0 Ok"
    assert make_talk(strict_smtputf8=True).ask("MAIL FROM:<\u00e4@example.net>").startswith("501")
    assert make_talk(leading_hyphen=True).ask("MAIL FROM:<-a@example.net>") == "250 2.1.0 Ok"
    needy = make_talk(helo_required=True)
    assert needy.ask("MAIL FROM:<a@example.net>") == "503 5.5.1 Error: send HELO/EHLO first"
    assert needy.ask("ETRN example.test") == "503 Error: send HELO/EHLO first"
    assert needy.ask("HELO x", "MAIL FROM:<a@example.net>") == "250 2.1.0 Ok"


def test_an_unreadable_address_is_told_to_the_log(talk):
    talk.ask("MAIL FROM:<a@\x01>")
    assert talk.hooks.notices == [(Notice.BAD_ADDRESS, "<a@?>")]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("MAIL FROM:<%s>", "501 5.1.7 Bad sender address syntax"),
        ("RCPT TO:<%s>", "501 5.1.3 Bad recipient address syntax"),
        ("VRFY <%s>", "501 5.1.3 Bad recipient address syntax"),
    ],
)
@pytest.mark.parametrize("address", ["!u@x.test", "u%@x.test", "u@@x.test"])
def test_routing_that_leads_nowhere_is_bad_syntax(talk, line, answer, address):
    talk.ask("EHLO a")
    if "RCPT" in line:
        talk.ask("MAIL FROM:<a@b.test>")
    talk.hooks.replies["routing", address] = Reply(501, "5.1.3", "Bad address syntax")
    assert talk.ask(line % address) == answer
    assert talk.hooks.notices[-1] == (Notice.BAD_ADDRESS, line.split(":")[-1].removeprefix("VRFY ") % address)


def test_routing_is_asked_about_only_where_there_is_any(talk):
    talk.ask("EHLO a", "MAIL FROM:<a@b.test>", "RCPT TO:<u@x.test>", "RCPT TO:<u%y.test@x.test>")
    talk.ask("RCPT TO:<y.test!u@x.test>")
    asked = [words for words in talk.hooks.asked if words[0] == "routing"]
    assert asked == [("routing", "u%y.test@x.test"), ("routing", "y.test!u@x.test")]


def test_routing_that_nobody_can_look_up_is_put_off(talk):
    talk.ask("EHLO a")
    talk.hooks.replies["routing"] = Reply(451, "4.3.0", "Temporary lookup failure")
    assert talk.ask("MAIL FROM:<u%y.test@x.test>") == "451 4.3.0 Temporary lookup failure"
    assert talk.ask("RCPT TO:<b@x.test>") == "503 5.5.1 Error: need MAIL command"


def test_the_transaction_has_what_the_client_said(talk):
    talk.ask("EHLO x", "MAIL FROM:<a@example.net> SIZE=100 BODY=8BITMIME RET=hdrs ENVID=a+2Bb SMTPUTF8")
    talk.ask("RCPT TO:<b@example.test> NOTIFY=NEVER ORCPT=rfc822;c+40d")
    transaction = talk.server.session.transaction
    assert (transaction.size, transaction.eight_bit, transaction.ret) == (100, True, "HDRS")
    assert (transaction.envid, transaction.smtputf8) == ("a+b", True)
    (recipient,) = transaction.recipients
    assert (recipient.address, recipient.notify, recipient.orcpt) == ("b@example.test", NEVER, "rfc822;c@d")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("RCPT", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"),
        ("RCPT TO:<b@>", "501 5.1.3 Bad recipient address syntax"),
        ("RCPT TO:<b@192.0.2.1>", "501 5.1.3 Bad recipient address syntax"),
        ("RCPT TO:<b@[192.0.2.1]>", "250 2.1.5 Ok"),
        ("RCPT TO:<b@example.test> NOTIFY=NEVER,DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax"),
        ("RCPT TO:<b@example.test> junk", "555 5.5.4 Unsupported option: junk"),
        ("RCPT TO:postmaster", "250 2.1.5 Ok"),
    ],
)
def test_rcpt_is_answered_as_postfix_answers_it(talk, line, answer):
    assert talk.to("mail").ask(line) == answer


def test_what_the_client_said_is_the_original_recipient(talk):
    talk.ask("EHLO a", "MAIL FROM:<a@b.test>", 'RCPT TO:<"b"@x.test>', "RCPT TO:<@r.test:b@x.test>")
    talk.ask("RCPT TO:<b@x.test>", "RCPT TO:b@x.test", 'RCPT TO:<"b"@x.test> ORCPT=rfc822;c@x.test')
    assert [each.orcpt for each in talk.server.session.transaction.recipients] == [
        'rfc822;"b"@x.test',
        "rfc822;@r.test:b@x.test",
        "",
        "",
        "rfc822;c@x.test",
    ]


def test_a_queue_id_comes_with_the_first_recipient_or_the_sender(make_talk):
    talk = make_talk().to("mail")
    assert talk.hooks.opened == 0
    talk.ask("RCPT TO:<b@example.test>", "RCPT TO:<c@example.test>")
    assert talk.hooks.opened == 1
    assert make_talk(open_early=True).to("mail").hooks.opened == 1


def test_recipients_over_the_limit_wait_and_the_others_stay(make_talk):
    talk = make_talk(recipient_limit=2, recipient_overshoot=1).to("rcpt")
    talk.ask("RCPT TO:<c@example.test>")
    assert talk.ask("RCPT TO:<d@example.test>") == "452 4.5.3 Error: too many recipients"
    assert talk.server.errors == 0
    assert talk.ask("RCPT TO:<e@example.test>") == "452 4.5.3 Error: too many recipients"
    assert talk.server.errors == 1
    assert len(talk.server.session.transaction.recipients) == 2


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("VRFY", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"),
        ("VRFY b", "252 2.0.0 b"),
        ("VRFY <b@example.test>", "252 2.0.0 <b@example.test>"),
        ("VRFY two words", "501 5.1.3 Bad recipient address syntax"),
        ("VRFY \u00fc SMTPUTF8", "252 2.0.0 \u00fc"),
        ("RSET now", "501 5.5.4 Syntax: RSET"),
        ("NOOP now", "250 2.0.0 Ok"),
        ("HELP", "500 5.5.2 Error: command not recognized"),
        ("EXPN b", "500 5.5.2 Error: command not recognized"),
        ("STARTTLS", "502 5.5.1 Error: command not implemented"),
        ("STARTTLS now", "501 5.5.4 Syntax: STARTTLS"),
        ("AUTH PLAIN AGEAYg==", "503 5.5.1 Error: authentication not enabled"),
        ("XCLIENT", "501 5.5.4 Syntax: XCLIENT attribute=value..."),
        ("XCLIENT ADDR=127.0.0.1", "550 5.7.0 Error: insufficient authorization"),
        ("ETRN", "500 Syntax: ETRN domain"),
        ("ETRN a..b", "501 Error: invalid parameter syntax"),
        ("ETRN @example.test", "459 <example.test>: service unavailable"),
        ("ETRN [192.0.2.1]", "459 <[192.0.2.1]>: service unavailable"),
    ],
)
def test_the_other_commands_are_answered_as_postfix_answers_them(talk, line, answer):
    assert talk.ask(line) == answer


def test_vrfy_can_be_taken_away(make_talk):
    talk = make_talk(vrfy=False)
    assert talk.ask("VRFY b") == "502 5.5.1 VRFY command is disabled"
    assert "250-VRFY" not in talk.say("EHLO x\r\n")


def test_vrfy_leaves_the_transaction_alone(talk):
    talk.to("rcpt")
    talk.ask("VRFY \u00fcser", "VRFY b")
    assert talk.ask("DATA").startswith("354")


def test_rset_forgets_and_discards(talk):
    talk.to("rcpt")
    assert talk.ask("RSET") == "250 2.0.0 Ok"
    assert talk.hooks.discarded == 1
    assert talk.ask("RCPT TO:<b@example.test>") == "503 5.5.1 Error: need MAIL command"


def test_refused_parameters_leave_nothing_in_the_next_transaction(talk):
    talk.ask("MAIL FROM:<a@example.net> RET=FULL ENVID=x FOO")
    assert talk.ask("MAIL FROM:<b@example.net> RET=HDRS") == "250 2.1.0 Ok"
    assert talk.server.session.transaction.ret == "HDRS"
    assert talk.server.session.transaction.envid == ""


def test_a_user_of_sendmail_may_say_the_full_name():
    talk = Talk(local=True)
    assert talk.ask("MAIL FROM:<a> XFULLNAME=J.+20R.+20Doe") == "250 2.1.0 Ok"
    assert talk.server.session.memory["fullname"] == "J. R. Doe"
    assert Talk().ask("MAIL FROM:<a> XFULLNAME=x") == "555 5.5.4 Unsupported option: XFULLNAME=x"


def test_the_greeting_is_the_last_one_though_the_protocol_stays(talk):
    talk.ask("EHLO x", "HELO y")
    session = talk.server.session
    assert (session.greeting, session.protocol) == ("HELO", "ESMTP")
    talk.ask("EHLO x")
    assert session.greeting == "EHLO"
