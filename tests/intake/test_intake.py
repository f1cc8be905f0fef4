import pytest

from postroad.model.message import NEVER, Recipient

QUEUED = "250 2.0.0 Ok: queued as "


def test_a_message_gets_a_received_field_and_is_otherwise_unchanged(bench):
    b = bench()
    content = b"Subject: x\r\nMessage-Id: <1@x>\r\n\r\nbody\r\n"
    reply = b.send(content)
    assert reply == QUEUED + b.message.id
    assert b.content == (
        b"Received: from c.example.net (unknown [192.0.2.10])\r\n"
        b"\tby mx.example.test (Postfix) with ESMTP id " + b.message.id.encode() + b"\r\n"
        b"\tfor <alice@example.test>; Mon, 23 Nov 2026 06:00:01 +0000 (UTC)\r\n" + content
    )
    assert b.accepted == [b.message]
    assert b.sink.lines == [f"cleanup: {b.message.id}: message-id=<1@x>"]


def test_several_recipients_are_not_named_in_the_received_field(bench):
    b = bench()
    b.send(b"\r\nx\r\n", "alice@example.test", "bob@example.test")
    assert b"for <" not in b.content
    assert b.message.id.encode() + b";\r\n\tMon, 23 Nov 2026 06:00:01 +0000 (UTC)\r\n\r\nx\r\n" in b.content


def test_the_reply_comes_only_after_the_store_has_synced(bench):
    b = bench()
    b.store.late = True
    assert b.send(b"\r\nx\r\n") is None
    assert b.accepted == []
    b.store.sync()
    assert b.replies[0].code == 250
    assert b.accepted == [b.message]


def test_an_empty_message_is_a_header_only(bench):
    b = bench()
    b.send(b"", pieces=[])
    assert b.content.endswith(b"(UTC)\r\n")


def test_a_header_without_a_body_gets_no_empty_line(bench):
    b = bench()
    b.send(b"Subject: only\r\n")
    assert b.content.endswith(b"\r\nSubject: only\r\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Subject: x\r\nno header here\r\nMore: y\r\n", b"Subject: x\r\n\r\nno header here\r\nMore: y\r\n"),
        (b"just words\r\n", b"\r\njust words\r\n"),
        (b" folded first\r\nSubject: x\r\n", b"\r\n folded first\r\nSubject: x\r\n"),
        (b"Subject: x\r\n:bad\r\n", b"Subject: x\r\n\r\n:bad\r\n"),
        (b"Subject: x\r\n>From y\r\n", b"Subject: x\r\n\r\n>From y\r\n"),
        (b"Subject: x\r\n\xc3\xa4: y\r\n", b"Subject: x\r\n\r\n\xc3\xa4: y\r\n"),
        (b"Subject: x\r\nb\0d: y\r\n", b"Subject: x\r\n\r\nb\0d: y\r\n"),
        (b"Subject: x\r\n \r\nMore: y\r\n\r\n", b"Subject: x\r\n \r\nMore: y\r\n\r\n"),
        (b"From me Thu\r\nSubject: x\r\n\r\n", b"\r\nFrom me Thu\r\nSubject: x\r\n\r\n"),
        (b"From : x\r\n\r\n", b"From: x\r\n\r\n"),
        (b"from me Thu\r\n", b"\r\nfrom me Thu\r\n"),
        (b"Foo: x\r\n\r\n", b"Foo: x\r\n\r\n"),
        (b"Subject: no end of line", b"Subject: no end of line\r\n"),
        (b"\r\nno end of line", b"\r\nno end of line\r\n"),
    ],
)
def test_where_the_header_ends_is_where_postfix_sees_it(bench, content, expected):
    b = bench()
    b.send(content)
    assert b.content.partition(b"(UTC)\r\n")[2] == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"From me Thu\r\nSubject: x\r\n\r\n", [b"X-Mailbox-Line: From me Thu", b"Subject: x"]),
        (
            b">From me\r\n>From you\r\nA: b\r\n\r\n",
            [b"X-Mailbox-Line: >From me", b"X-Mailbox-Line: >From you", b"A: b"],
        ),
        (b"From me\r\nwords\r\n", [b"X-Mailbox-Line: From me"]),
    ],
)
def test_sendmails_mbox_separators_become_fields(bench, content, expected):
    b = bench()
    b.send(content, uid=1000)
    header = b.content.partition(b"\r\n\r\n")[0].splitlines()
    assert header[2 : 2 + len(expected)] == expected


def test_addresses_are_completed_and_equal_recipients_become_one(bench):
    b = bench()
    b.send(b"\r\n", "alice", "bob@example.test", "alice", "BOB@example.test", sender="news")
    assert b.envelope == ["news@mx.example.test", "alice@mx.example.test", "bob@example.test"]
    assert [r.original for r in b.message.recipients] == ["alice", "bob@example.test"]
    assert [r.orcpt for r in b.message.recipients] == ["rfc822;alice", "rfc822;bob@example.test"]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("", ""),
        ("mailer-daemon", ""),
        ("MAILER-DAEMON@mx.example.test", ""),
        ("mailer-daemon@elsewhere.example", "mailer-daemon@elsewhere.example"),
    ],
)
def test_our_daemons_address_is_the_null_sender(bench, sender, expected):
    b = bench()
    b.send(b"\r\n", sender=sender)
    assert b.message.sender == expected


def test_the_transactions_facts_go_with_the_message(bench):
    b = bench()
    b.send(b"\r\nx\r\n", eight_bit=True, ret="HDRS", envid="e1", sasl_username="al", sasl_method="PLAIN")
    m = b.message
    assert (m.eight_bit, m.ret, m.envid, m.smtputf8, m.held) == (True, "HDRS", "e1", False, False)
    assert m.attributes["log_client_address"] == "192.0.2.10"
    assert m.attributes["sasl_username"] == "al"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\r\nx\r\n", False), (b"\r\n\xc3\xa4\r\n", True), (b"A: \xff\r\n\r\n", True)],
)
def test_eight_bit_content_is_noticed(bench, content, expected):
    b = bench()
    b.send(content)
    assert b.message.eight_bit is expected


@pytest.mark.parametrize(
    ("content", "sender", "asked", "expected"),
    [
        ("Subject: ä\r\n\r\n", "a@example.net", True, True),
        ("Subject: a\r\n\r\nä\r\n", "a@example.net", True, False),
        ("Subject: a\r\n\r\n", "ä@example.net", True, True),
        ("Subject: ä\r\n\r\n", "a@example.net", False, False),
    ],
)
def test_smtputf8_is_asked_of_the_next_host_only_where_needed(bench, content, sender, asked, expected):
    b = bench()
    b.send(content.encode(), sender=sender, smtputf8=asked)
    assert b.message.smtputf8 is expected
    assert (b"with UTF8SMTP id" in b.content) is asked


def test_smtputf8_is_detected_for_the_classes_that_are_named(bench):
    b = bench(smtputf8_autodetect_classes="all")
    b.send("Subject: ä\r\n\r\n".encode())
    assert b.message.smtputf8
    b = bench()
    b.send("Subject: ä\r\n\r\n".encode(), uid=1000)
    assert b.message.smtputf8


def test_without_original_recipients_only_the_address_counts(bench):
    b = bench(enable_original_recipient="no")
    b.send(b"\r\n", Recipient("b@x", orcpt="rfc822;one@x"), Recipient("b@x", orcpt="rfc822;two@x"))
    assert len(b.message.recipients) == 1
    b = bench()
    b.send(b"\r\n", Recipient("b@x", orcpt="rfc822;one@x"), Recipient("b@x", orcpt="rfc822;two@x"))
    assert len(b.message.recipients) == 2


def test_what_access_tables_asked_for_is_done(bench):
    b = bench()
    b.send(b"\r\nx\r\n", actions={"HOLD": "", "FILTER": "smtp:[127.0.0.1]"})
    assert b.message.held
    assert b.message.attributes["content_filter"] == "smtp:[127.0.0.1]"
    b.send(b"\r\nx\r\n", actions={"FILTER": "smtp:[127.0.0.1]", "REDIRECT": "z@example.test"})
    assert "content_filter" not in b.message.attributes
    assert [r.address for r in b.message.recipients] == ["z@example.test"]
    b.send(
        b"\r\nx\r\n", actions={"PREPEND": "X-A: 1\nX-B: 2\rX-C: 3\nno field", "BCC": "hidden@example.test"}
    )
    assert b.content.startswith(b"X-A: 1\r\nX-B: 2 X-C: 3\r\nReceived:")
    assert b.message.recipients[-1].notify == NEVER


def test_a_content_filter_gets_all_mail_that_has_no_other(bench):
    b = bench(content_filter="smtp:[127.0.0.1]:10024")
    b.send(b"\r\nx\r\n", uid=1000)
    assert b.message.attributes["content_filter"] == "smtp:[127.0.0.1]:10024"
    b.send(b"\r\nx\r\n", actions={"FILTER": "other:"})
    assert b.message.attributes["content_filter"] == "other:"
    b = bench()
    b.send(b"\r\nx\r\n")
    assert "content_filter" not in b.message.attributes


def test_a_discarded_message_is_answered_as_if_it_were_queued(bench):
    b = bench()
    assert b.send(b"\r\nx\r\n", actions={"DISCARD": ""}).startswith(QUEUED)
    assert b.store.messages == []


def test_room_is_asked_of_the_file_system(bench):
    b = bench(message_size_limit="1000")
    assert b.intake.has_space(10)
    b.clock.advance(2)
    b.free = 1500
    assert not b.intake.has_space(10)


async def test_expand_maps_recipients_of_our_own_messages_without_copies(bench):
    b = bench(virtual_alias_maps="inline:{ {team@x.test=a@x.test, b@x.test} }", always_bcc="log@x.test")
    out = await b.intake.expand("", [Recipient("team@x.test")])
    assert [r.address for r in out] == ["a@x.test", "b@x.test"]
    assert [r.address for r in await bench().intake.expand("", [Recipient("al")])] == ["al@mx.example.test"]


async def test_expand_never_takes_a_broken_table_for_an_empty_one(bench):
    from postroad.base.errors import TableUnavailable

    b = bench(virtual_alias_maps="fail:x")
    with pytest.raises(TableUnavailable):
        await b.intake.expand("", [Recipient("team@x.test")])


async def test_mail_that_is_handed_on_has_a_heading_and_facts(bench):
    b = bench(local_header_rewrite_clients="static:{{all}}")
    session = b.session("a@x", actions={"PREPEND": "X-A: 1\nno field"})
    assert b.intake.heading(session).startswith(b"X-A: 1\r\nReceived: from ")
    assert b" id " not in b.intake.heading(session)
    facts = await b.intake.facts(session)
    assert (facts["log_client_address"], facts["rewrite_context"]) == ("192.0.2.10", "local")
    b = bench()
    assert "rewrite_context" not in await b.intake.facts(b.session("a@x"))
    assert b.store.messages == []
