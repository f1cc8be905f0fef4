import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroad.intake.headers import HeaderJob, HeaderRules
from postroad.intake.refusal import RefusedError
from postroad.intake.rules import AddressRules

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

MANY = ", ".join(f"user{number}@example.com" for number in range(12))
HOPS = b"Received: from a by b; now\r\n"


def test_dropped_fields_are_gone_and_everything_else_stays(bench):
    b = bench()
    b.send(
        b"From: x\r\nBcc: q\r\nReturn-Path: <z>\r\nContent-Length: 33\r\nReSent-BCC : y\r\n z\r\nX: y\r\n"
        b"MESSAGE-id:\r\n  <ab@c> \r\n\tfoo\r\nSubject : s\r\n\r\nBcc: in the body\r\n",
        "alice@example.test",
        "bob@example.test",
    )
    assert b.header == "From: x\r\nX: y\r\nMESSAGE-id:\r\n  <ab@c> \r\n\tfoo\r\nSubject: s\r\n"
    assert b.content.endswith(b"\r\n\r\nBcc: in the body\r\n")
    assert b.sink.lines == [f"cleanup: {b.message.id}: message-id=<ab@c> ??foo"]


def test_what_is_dropped_is_configured(bench):
    b = bench(message_drop_headers="x-foo, subject")
    b.send(b"X-Foo: a\r\n b\r\nBcc: c\r\nSubject: d\r\nX-Foobar: e\r\n\r\n")
    assert b.header == "Bcc: c\r\nX-Foobar: e\r\n"
    b = bench(message_drop_headers="")
    b.send(b"Return-Path: <a>\r\n\r\n")
    assert b.header == "Return-Path: <a>\r\n"


@pytest.mark.parametrize("address", ["192.0.2.10", "127.0.0.1"])
@pytest.mark.parametrize("field", [HOPS, HOPS.replace(b":", b" :"), HOPS.upper()])
def test_a_message_that_has_been_everywhere_is_refused(bench, address, field):
    b = bench()
    assert b.send(field * 48 + b"\r\n", address=address).startswith("250 ")
    assert b.send(field * 49 + b"\r\n", address=address) == "554 5.4.0 Error: too many hops"
    assert "hopcount exceeded" in b.sink.lines[-1]


def test_received_lines_in_the_body_do_not_count(bench):
    assert bench().send(b"A: b\r\n\r\n" + HOPS * 99).startswith("250 ")


def test_every_message_id_is_noted(bench):
    b = bench()
    b.send(b"Message-ID: <a@b>\r\nX: y\r\nmessage-id:<c@d>\r\n\r\n")
    b.send(b"Resent-Message-Id: <r@x>\r\nMessage-ID: <a@b>\r\n\r\n")
    b.send(b"X-Message-Id: <x>\r\n\r\nMessage-Id: <body>\r\n")
    assert [line.partition(": ")[2].partition(": ")[2] for line in b.sink.lines] == [
        "message-id=<a@b>",
        "message-id=<c@d>",
        "resent-message-id=<r@x>",
        "message-id=<a@b>",
        "message-id=<>",
    ]


def test_too_large_a_field_is_cut_and_the_others_are_not(bench):
    b = bench()
    b.send(b"X-Long: " + b"y" * 110000 + b"\r\nAfter: z\r\n\r\nbody\r\n")
    long, after, rest = b.header.split("\r\n")
    assert (len(long), after, rest) == (102400, "After: z", "")
    b.send(b"X-L2: a\r\n" + b" yyyyyyyyyyyyyyyy\r\n" * 10000 + b"After: z\r\n\r\nbody\r\n")
    folded, _, after = b.header.rpartition("\r\nAfter")
    assert len(folded.replace("\r\n", "\n")) == 102400
    assert after == ": z\r\n"


def local(bench, content, **more):
    b = bench(**more)
    b.send(content, address="127.0.0.1", name="localhost")
    return b.header.replace(b.message.id, "ID")


def test_a_local_client_gets_what_is_missing(bench):
    assert local(bench, b"Subject: x\r\n\r\n") == (
        "Subject: x\r\nMessage-Id: <ID@mx.example.test>\r\n"
        "Date: Mon, 23 Nov 2026 06:00:01 +0000 (UTC)\r\nFrom: a@example.net\r\n"
    )
    full = b"Message-Id: <1>\r\nDate: \r\nFrom: a@b.c\r\n\r\n"
    assert local(bench, full) == full.decode()[:-2]


def test_a_remote_client_gets_nothing(bench):
    b = bench()
    b.send(b"From: al\r\nTo: bob\r\n\r\n")
    assert b.header == "From: al\r\nTo: bob\r\n"


def test_a_message_sent_again_gets_resent_fields(bench):
    assert local(bench, b"Resent-To: bob\r\nFrom: al\r\n\r\n") == (
        "Resent-To: bob@mx.example.test\r\nFrom: al@mx.example.test\r\n"
        "Resent-Message-Id: <ID@mx.example.test>\r\n"
        "Resent-Date: Mon, 23 Nov 2026 06:00:01 +0000 (UTC)\r\nResent-From: a@example.net\r\n"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            'From: Al (boss) <al>, "B. C" <b@c>, joe (x) , x@y (z)',
            'From: Al (boss) <al@mx.example.test>, "B. C" <b@c>,\r\n\tjoe@mx.example.test (x), x@y (z)',
        ),
        ("Cc: grp: a, b@c;, q", "Cc: grp: a@mx.example.test, b@c;, q@mx.example.test"),
        ("to:bob@x   ,   al", "to: bob@x, al@mx.example.test"),
        ("To :al", "To: al@mx.example.test"),
        ("CC:", "CC:"),
        ("Sender: <>", "Sender: <>"),
        ("Reply-To: J. B. Goode <j@b>", "Reply-To: J. B. Goode <j@b>"),
        ("To: " + MANY, "To: " + MANY),
        ("X-To: al", "X-To: al"),
        ("Apparently-To: f", "Apparently-To: f@mx.example.test"),
        ("To:\r\n  a@b,\r\n  c", "To: a@b, c@mx.example.test"),
        ("From: Jörg <j>", "From: Jörg <j@mx.example.test>"),
        ("To: a@b@c.test", 'To: "a@b"@c.test'),
        ("To:  Al <a..b@c.test>", 'To: Al <"a..b"@c.test>'),
        ("To:\ta.@c.test, b@c.test", 'To: "a."@c.test, b@c.test'),
        ('To:  "al"@c.test', "To: al@c.test"),
        ('To:  "a@b"@c.test', 'To:  "a@b"@c.test'),
        ("To:  <a b@c.test>", "To:  <a b@c.test>"),
        ('To:  "" <>, ""', 'To:  "" <>, ""'),
    ],
)
def test_a_local_clients_addresses_are_completed(bench, given, expected):
    header = local(bench, given.encode() + b"\r\nMessage-Id: <1>\r\nDate: x\r\nResent-From: a@b.c\r\n\r\n")
    assert header.startswith(expected + "\r\nMessage-Id")


def test_bytes_that_are_no_utf8_survive_rewriting(bench):
    b = bench()
    b.send(b"From: \xff\xfe <al>\r\n\r\n", address="127.0.0.1")
    assert b"\r\nFrom: \xff\xfe <al@mx.example.test>\r\n" in b.content


def test_a_remote_client_may_have_a_domain_of_its_own_appended(bench):
    b = bench(remote_header_rewrite_domain="domain.invalid")
    b.send(b"From: al\r\nMessage-Id: <1>\r\nDate: x\r\n\r\n", "alice")
    assert b.header == "From: al@domain.invalid\r\nMessage-Id: <1>\r\nDate: x\r\n"
    assert b.envelope[1] == "alice@mx.example.test"


def test_missing_fields_may_be_added_for_everyone_without_rewriting(bench):
    b = bench(always_add_missing_headers="yes")
    b.send(b"From: al\r\nDate: x\r\n\r\n")
    assert b.header == f"From: al\r\nDate: x\r\nMessage-Id: <{b.message.id}@mx.example.test>\r\n"


def test_undisclosed_recipients_are_said_only_where_to_and_cc_are_missing(bench):
    text = "To: undisclosed-recipients:;"
    start = b"Message-Id: <1>\r\nDate: x\r\nFrom: a@b.c\r\n"
    assert local(bench, start + b"\r\n", undisclosed_recipients_header=text).endswith(text + "\r\n")
    assert text not in local(bench, start + b"Cc: x@y.z\r\n\r\n", undisclosed_recipients_header=text)
    assert local(bench, start + b"\r\n", undisclosed_recipients_header="no field") == start.decode()


@pytest.mark.parametrize(
    ("fullname", "sender", "style", "expected"),
    [
        ("Al Smith", "al", "standard", "Al Smith <al@mx.example.test>"),
        ("Smith, Al", "al", "standard", '"Smith, Al" <al@mx.example.test>'),
        ("Al (x)", "al", "obsolete", r'al@mx.example.test ("Al \(x\)")'),
        ("Al", "", "standard", "MAILER-DAEMON"),
        ("", "al", "standard", "al@mx.example.test"),
        ("A\r\nBcc: x", "al", "standard", '"A Bcc: x" <al@mx.example.test>'),
    ],
)
def test_a_local_users_name_stands_in_the_from_field(bench, fullname, sender, style, expected):
    b = bench(header_from_format=style)
    b.feed(b.session(sender=sender, uid=1000, memory={"fullname": fullname}), [b"Subject: x\r\n\r\n"])
    assert f"From: {expected}\r\n" in b.content.decode()
    assert b.content.startswith(b"Received: by mx.example.test (Postfix, from userid 1000)\r\n\tid ")


def test_a_hostile_list_of_addresses_is_cut_and_quick(bench):
    b = bench()
    b.send(b"To: " + b"a," * 100000 + b"\r\n\r\n", address="127.0.0.1")
    assert b.header.count("a@mx.example.test") == 5120


FIELDS = st.lists(
    st.sampled_from(
        [
            b"From: a@example.net\r\n",
            b"from:<a@example.net>\r\n",
            b'From: A B <a@example.net>,\r\n\t"C, D" <c@example.net>\r\n',
            b"From: a\r\n",
            b"Sender: a@host\r\n",
            b"To: u!v@example.net\r\n",
            b"To: u..v@example.net\r\n",
            b"To: b@example.test,\r\n c@example.test\r\n",
            b"Cc: b@example.test (x)\r\n",
            b"CC:\r\n",
            b"Bcc: b@example.test\r\n",
            b"Date: today\r\n",
            b"DATE : today\r\n",
            b"Message-Id: <1@x>\r\n",
            b"message-id:\r\n <2@x>\r\n",
            b"Resent-From: a@example.net\r\n",
            b"Resent-Message-Id: <3@x>\r\n",
            b"Received: by x\r\n",
            b"X-From: a\r\n\tFrom: a\r\n",
        ]
    ),
    max_size=6,
).map(b"".join)


@given(FIELDS, st.sampled_from([None, True, False]))
@settings(max_examples=400, suppress_health_check=SHARED)
async def test_what_is_completed_at_once_is_what_taking_it_apart_makes_of_it(bench, header, context):
    b = bench(undisclosed_recipients_header="To: undisclosed-recipients:;", hopcount_limit="3")
    rules = AddressRules(b.settings, b.tables, b.rewriter, b.log, b.own)
    job = HeaderJob("ABC", context, "a@example.net", "DATE")

    class Slow(HeaderRules):
        def complete_now(self, header, job, *, strict=False):
            return None

    async def outcome(kind):
        b.sink.lines = []
        try:
            text = await kind(b.settings, b.rewriter, rules, b.log).complete(header, job)
        except RefusedError as error:
            return error.reply, b.sink.lines[-1]
        return text, b.sink.lines

    assert await outcome(HeaderRules) == await outcome(Slow)
