"""The quick way gives what the general way gives."""

from __future__ import annotations

import pytest

from postroad.model.reply import Reply
from postroad.proto import quick

SESSION = ["EHLO client.example", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>"]
SCRIPTS = [
    ["HELO client.example", "NOOP", "RSET", "QUIT"],
    ["EHLO 192.0.2.1", "EHLO under_score", "HELO -", "helo x", "ehlo y"],
    ["EHLO [192.0.2.1]", "EHLO a b", "EHLO  x", "EHLO ", "EHLO", "HELO"],
    [*SESSION, "DATA"],
    [*SESSION, "RSET", "DATA", "NOOP x", "QUIT now", "quit"],
    ["DATA", "RCPT TO:<b@example.test>", "MAIL FROM:<>", "MAIL FROM:<>", "DATA"],
    ["EHLO x", "MAIL FROM:<a@example.net> SIZE=100 BODY=8BITMIME RET=HDRS", "RCPT TO:<b@example.test> NOTIFY=NEVER"],
    ["EHLO x", "MAIL FROM:<a@example..net>", "MAIL FROM:<-a@example.net>", "RCPT TO:<>", "MAIL FROM:<a@b> FOO"],
]  # fmt: skip


def state(talk):
    server, session = talk.server, talk.server.session
    transaction = session.transaction
    return (
        server.state, server.where, server.counts, server.accepted, server.errors, server.closed,
        session.helo, session.protocol, transaction.sender, transaction.size, transaction.ret,
        [(each.address, each.notify) for each in transaction.recipients],
        talk.hooks.asked, talk.hooks.notices, talk.hooks.opened, talk.hooks.discarded,
    )  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("refused", [None, "helo", "mail", "recipient", "data"])
def test_it_agrees_with_the_general_way(make_talk, script, refused):
    fast, slow = make_talk(), make_talk()
    slow.server.quick = 0
    for talk in (fast, slow):
        if refused:
            talk.hooks.replies[refused] = Reply(554, "5.7.1", "no")
    for line in script:
        assert fast.say(line + "\r\n") == slow.say(line + "\r\n"), line
        assert state(fast) == state(slow), line


def test_lines_of_a_group_go_the_quick_way_too(make_talk):
    fast, slow = make_talk(), make_talk()
    slow.server.quick = 0
    group = "".join(line + "\r\n" for line in [*SESSION[1:], "DATA"])
    for talk in (fast, slow):
        talk.ask(SESSION[0])
    assert fast.say(group) == slow.say(group)
    assert state(fast) == state(slow)


def test_it_is_not_for_words_that_the_operator_makes_noops(make_talk):
    assert make_talk().server.quick == quick.LIMIT
    assert make_talk(line_limit=100).server.quick == 100
    talk = make_talk(noop_words=True)
    talk.hooks.is_noop = lambda word: word == "DATA"
    assert talk.ask("DATA") == "250 2.0.0 Ok"


def test_it_leaves_what_it_does_not_know(talk):
    for line in (b"VRFY a", b"MAIL FROM:<a b@example.net>", b"EHLO", b"FOO", b""):
        assert not quick.quick(talk.server, line)
    assert talk.said() == []


def test_a_client_that_was_refused_may_only_quit(make_talk):
    talk = make_talk(greet=False)
    talk.hooks.replies["connect"] = Reply(554, "5.7.1", "no")
    talk.server.start()
    assert talk.said() == ["554 5.7.1 no"]
    assert talk.ask("HELO x").startswith("503 5.7.0")
    assert talk.ask("QUIT") == "221 2.0.0 Bye"
