import asyncio
import re

import pytest

from filters.conftest import BODY, HEADER, KEY, OWN, a_session, upto, whole
from filters.stub import CONTINUE, DIE, number
from postroad.filters import edits
from postroad.filters.session import MilterSession
from postroad.model.filters import AddRecipient, ChangeSender, DeleteRecipient, FilterOutcome
from postroad.model.message import Recipient
from postroad.model.reply import Reply

TEMPFAIL = Reply(451, "4.7.1", "Service unavailable - try again later")
ID = f"{KEY:015X}"
EVENTS = "CHMRTLNBE"


async def test_a_milter_sees_a_whole_session_in_the_words_of_postfix(bench):
    stub = await bench.stub()
    chain = await bench.chain(stub)
    outcome = await whole(chain)
    chain.close()
    await asyncio.wait_for(stub.ended.wait(), 30)
    assert outcome.is_plain
    assert bench.lines == []
    assert stub.offers == [(6, 0x1FF, 0x1FFFFF)]
    assert [each for each in stub.seen if each[0] not in "DO"] == [
        ("C", b"c.example\x004\x10\xe1192.0.2.7\0"),
        ("H", b"c.example\0"),
        ("M", b"<s@example.net>\0"),
        ("R", b"<u@example.org>\0"),
        ("T", b""),
        ("L", b"Subject\0 two\0"),
        ("L", b"X-A\x001\0"),
        ("L", b"X-Fold\0a\n b\0"),
        ("L", b"X-A\x002\0"),
        ("L", b"X-Empty\0\0"),
        ("N", b""),
        ("B", b"one\r\n.two\r\n"),
        ("E", b""),
        ("Q", b""),
    ]


async def test_an_unnamed_client_and_parameters(bench):
    stub = await bench.stub()
    chain = await bench.chain(stub, session=a_session(name="unknown", name_code=5, address="::1"))
    await chain.connect()
    transaction = chain.session.transaction
    transaction.sender, transaction.size, transaction.eight_bit = "a b@example.net", 100, True
    transaction.smtputf8, transaction.ret, transaction.envid = True, "HDRS", "a b"
    await chain.mail()
    await chain.mail(["SIZE=1", "BODY=7BIT"])
    await chain.recipient("u@example.org", None, ["NOTIFY=NEVER"])
    assert stub.data("C") == [b"[::1]\x006\x10\xe1::1\0"]
    assert stub.data("M") == [
        b'<"a b"@example.net>\0SIZE=100\0BODY=8BITMIME\0SMTPUTF8\0RET=HDRS\0ENVID=a+20b\0',
        b'<"a b"@example.net>\0SIZE=1\0BODY=7BIT\0',
    ]
    assert stub.data("R") == [b"<u@example.org>\0NOTIFY=NEVER\0"]


@pytest.mark.parametrize(
    ("letter", "answer", "where", "reply", "text"),
    [
        ("M", b"r", "MAIL", Reply(550, "5.7.1", "Command rejected"), "550 5.7.1 Command rejected"),
        ("R", b"t", "RCPT", TEMPFAIL, "451 4.7.1 Service unavailable - try again later"),
        ("T", b"y550 5.7.1 100%% no\0", "DATA", Reply(550, "5.7.1", "100% no"), "550 5.7.1 100% no"),
        ("R", b"4", "RCPT", Reply(421, "4.7.0", "Server closing connection"), "421 4.7.0 Server closing connection"),
    ],
)  # fmt: skip
async def test_refusals_before_the_message(bench, letter, answer, where, reply, text):
    chain = await bench.chain(await bench.stub({letter: [answer]}))
    assert await upto(chain, "data") == reply
    to = "" if where == "MAIL" else " to=<u@example.org>" if where == "RCPT" else ""
    queue_id = ID if where == "DATA" else "NOQUEUE"
    assert bench.lines == [
        (
            f"smtpd: {queue_id}: milter-reject: {where} from c.example[192.0.2.7]: {text};"
            f" from=<s@example.net>{to} proto=ESMTP helo=<c.example>"
        )
    ]


async def test_a_client_that_is_refused_is_told_at_once_or_at_each_mail(bench):
    for answer, greeting, later in (
        (b"r", Reply(554, "", "mx.example.org ESMTP not accepting connections"), 550),
        (b"t", None, 451),
        (b"y421 4.7.0 go\0", Reply(421, "", "mx.example.org Service unavailable - try again later"), 421),
    ):
        stub = await bench.stub({"C": [answer]})
        chain = await bench.chain(stub)
        assert await chain.connect() == greeting
        reply = await chain.helo()
        assert reply is None if later != 421 else reply.code == 421
        assert (await chain.mail()).code == later
        assert stub.letters() in ("C", "CQ")  # it is not asked again
    assert bench.lines[0] == (
        "smtpd: NOQUEUE: milter-reject: CONNECT from c.example[192.0.2.7]: 550 5.7.1 Command rejected; proto=SMTP"
    )  # fmt: skip


async def test_a_refused_helo_is_said_to_mail(bench):
    chain = await bench.chain(await bench.stub({"H": [b"y550 5.7.1 no helo\0"]}))
    assert await upto(chain, "helo") is None
    assert await chain.mail() == Reply(550, "5.7.1", "no helo")


async def test_discard_ends_all_questions_about_the_message(bench):
    stub = await bench.stub({"R": [b"d"]})
    other = await bench.stub()
    chain = await bench.chain(stub, other)
    assert (await whole(chain)).discard
    assert "DISCARD" in chain.session.transaction.actions
    assert stub.letters() == "CHMR"
    assert other.letters() == "CHM"
    assert "milter-discard: RCPT from c.example[192.0.2.7]: milter triggers DISCARD action;" in bench.lines[0]


async def test_discard_is_no_answer_to_connect(bench):
    chain = await bench.chain(await bench.stub({"C": [b"d"]}))
    await chain.connect()
    assert await chain.mail() == TEMPFAIL
    assert bench.lines[0].endswith("DISCARD action is not allowed for connect or helo")


async def test_quarantine_holds_the_message_once_and_the_next_milter_still_edits(bench):
    first = await bench.stub({"R": [b"qwhy\0", CONTINUE], "E": [b"qagain\0", CONTINUE]})
    second = await bench.stub({"E": [b"hSigned\0yes\0", CONTINUE]})
    chain = await bench.chain(first, second)
    outcome = await whole(chain)
    assert outcome.hold
    assert outcome.header == HEADER + b"Signed: yes\r\n"
    assert "HOLD" in chain.session.transaction.actions
    assert [line for line in bench.lines if "milter-hold" in line] == [
        (
            "smtpd: NOQUEUE: milter-hold: RCPT from c.example[192.0.2.7]: milter triggers HOLD action;"
            " from=<s@example.net> to=<u@example.org> proto=ESMTP helo=<c.example>"
        )
    ]


async def test_quarantine_at_the_end_of_the_message(bench):
    chain = await bench.chain(await bench.stub({"E": [b"qwhy\0", CONTINUE]}))
    outcome = await whole(chain)
    assert outcome == FilterOutcome(hold=True)
    assert bench.lines == [
        (
            f"cleanup: {ID}: milter-hold: END-OF-MESSAGE from c.example[192.0.2.7]: milter triggers HOLD action;"
            " from=<s@example.net> to=<u@example.org> proto=ESMTP helo=<c.example>"
        )
    ]


async def test_a_refused_message_is_logged_as_cleanup_does(bench):
    for letter, expected in (("L", "5.7.1 a b"), ("N", "5.7.1 a b"), ("B", "5.7.1 a b"), ("E", "5.7.1 a b")):
        bench.lines.clear()
        stub = await bench.stub({letter: [b"y550-5.7.1 a\r\n550 5.7.1 b\0"]})
        chain = await bench.chain(stub)
        outcome = await whole(chain)
        assert outcome == FilterOutcome(Reply(550, "5.7.1", "a\nb"))
        assert bench.lines == [
            (
                f"cleanup: {ID}: milter-reject: END-OF-MESSAGE from c.example[192.0.2.7]: {expected};"
                " from=<s@example.net> to=<u@example.org> proto=ESMTP helo=<c.example>"
            )
        ]


async def test_a_shutdown_at_the_end_of_the_message_refuses_it(bench):
    chain = await bench.chain(await bench.stub({"E": [b"hX\0y\0", b"4"]}))
    assert await whole(chain) == FilterOutcome(Reply(421, "4.7.0", "Server closing connection"))


EDITS = [
    b"i" + number(1) + b"Ins\0one\0",
    b"m" + number(2) + b"x-a\0changed\0",
    b"hAdd\0 lead\0",
    b"+<new@example.org>\0",
    b"2new2@example.org\0NOTIFY=NEVER\0",
    b"-<u@example.org>\0",
    b"e<chg@example.net>\0RET=HDRS\0",
    b"bnew\n",
    b"bbody",
    b"p",
    CONTINUE,
]


async def test_edits_reach_the_outcome_in_their_order(bench):
    chain = await bench.chain(await bench.stub({"E": EDITS}))
    outcome = await whole(chain)
    assert outcome.header == (
        OWN + b"Ins: one\r\nSubject:  two\r\nX-A: 1\r\nX-Fold: a\r\n b\r\n"
        b"x-a: changed\r\nX-Empty:\r\nAdd:  lead\r\n"
    )
    assert b"".join(outcome.body) == b"new\r\nbody\r\n"
    assert outcome.envelope == (
        AddRecipient("new@example.org"),
        AddRecipient("new2@example.org", "NOTIFY=NEVER"),
        DeleteRecipient("u@example.org"),
        ChangeSender("chg@example.net", "RET=HDRS"),
    )


async def test_each_milter_sees_what_those_before_it_made(bench):
    first = await bench.stub({"E": [b"hSeen\0by the second\0", b"bother\r\n", b"a"]})
    second = await bench.stub({"E": [b"m" + number(1) + b"Seen\0\0", b"hLast\0x\0", CONTINUE]})
    outcome = await whole(await bench.chain(first, second))
    assert second.data("L")[-1] == b"Seen\0by the second\0"
    assert second.data("B") == [b"other\r\n"]
    assert outcome.header == HEADER + b"Last: x\r\n"
    assert b"".join(outcome.body) == b"other\r\n"


async def test_who_refuses_leaves_nothing_of_those_before(bench):
    first = await bench.stub({"E": EDITS})
    second = await bench.stub({"E": [b"r"]})
    assert await whole(await bench.chain(first, second)) == FilterOutcome(
        Reply(550, "5.7.1", "Command rejected")
    )


DEFAULTS = {
    "accept": (None, False),
    "reject": (Reply(550, "5.5.0", "Service unavailable"), False),
    "tempfail": (TEMPFAIL, False),
    "quarantine": (None, True),
    "shutdown": (Reply(421, "4.7.0", "Server closing connection"), False),
    "{451 4.7.9 later}": (Reply(451, "4.7.9", "later"), False),
}


@pytest.mark.parametrize("action", DEFAULTS)
@pytest.mark.parametrize("dying", ["O", *EVENTS, "E+", "E garbage", "E unknown"])
async def test_a_milter_that_dies_leaves_a_message_as_it_was_or_refused(bench, dying, action):
    """Whatever it had said of the message, and at each step: never a mixture, never more than its action."""
    last = {"E+": [*EDITS[:-1], DIE], "E garbage": [*EDITS[:-1], b"h\0\0"], "E unknown": [*EDITS[:-1], b"Z"]}
    stub = await bench.stub({dying[0]: last.get(dying, [DIE])})
    other = await bench.stub({"E": [b"hOther\0x\0", CONTINUE]})
    option = f"{{ {stub.name}, default_action={action} }}" if "{" not in action else ""
    if not option:
        option = f"{{ {stub.name}, {{ default_action = {action[1:-1]} }} }}"
    chain = await bench.chain(option, other)
    reply, hold = DEFAULTS[action]
    refusal = await upto(chain, "data")
    if reply is not None and dying in "OCHMRT":
        refusal = refusal if refusal is not None and refusal.code != 554 else await chain.mail()
        if reply.code == 421 and dying in "OC":
            assert refusal.code == 421
        else:
            assert refusal == reply
        return
    assert refusal is None
    outcome = await chain.message(HEADER, lambda: iter([BODY]))
    if reply is not None:
        assert outcome == FilterOutcome(reply)
    else:
        assert outcome == FilterOutcome(header=HEADER + b"Other: x\r\n", hold=hold)
    warnings = [line for line in bench.lines if "warning" in line]
    assert len(warnings) == 1
    assert f"warning: milter {stub.name}: " in warnings[0]


async def test_what_stands_for_a_dead_milter_stands_for_the_whole_session(bench):
    chain = await bench.chain(await bench.stub({"R": [DIE]}))
    assert await upto(chain, "recipient") == TEMPFAIL
    chain.abort()
    assert await chain.mail() == TEMPFAIL
    assert bench.lines[0].startswith("smtpd: warning: milter inet:127.0.0.1:")
    assert bench.lines[0].endswith(": can't read SMFIC_RCPT reply packet header: Application error")


async def test_nobody_listens(bench):
    for name, reason in (
        ("inet:127.0.0.1:1", "Connection refused"),
        ("unix:/nowhere/socket", "No such file or directory"),
    ):
        bench.lines.clear()
        chain = await bench.chain(name)
        assert await upto(chain, "mail") == TEMPFAIL
        assert bench.lines[0] == f"smtpd: warning: connect to Milter service {name}: {reason}"
    bench.lines.clear()
    outcome = await whole(await bench.chain("inet:127.0.0.1:1", milter_default_action="accept"))
    assert outcome.is_plain
    assert len(bench.lines) == 1


async def test_malformed_replies_are_never_given_to_a_client_nor_taken_for_acceptance(bench):
    for reply in (b"y250 2.0.0 fine\0", b"y550 4.7.1 mixed\0", b"y550-5.7.1 a\r\n451 4.7.1 b\0"):
        chain = await bench.chain(await bench.stub({"M": [reply]}), milter_default_action="accept")
        assert await upto(chain, "mail") == Reply(
            451, "4.3.5", "Server configuration problem - try again later"
        )
    assert "malformed reply: 550-5.7.1 a??451 4.7.1 b" in bench.lines[-2]


async def test_edits_before_the_end_of_the_message_are_an_error(bench):
    stub = await bench.stub({"R": [b"hX\0y\0", CONTINUE]})
    assert await upto(await bench.chain(stub), "recipient") == TEMPFAIL
    text = "unexpected filter response SMFIR_ADDHEADER after event SMFIC_RCPT"
    assert bench.lines[0] == f"smtpd: warning: milter {stub.name}: {text}"


async def test_a_time_out_with_the_milters_own_limits(bench):
    stub = await bench.stub({"M": [b""[:0] or b"p"]})
    chain = await bench.chain(f"{{ {stub.name}, command_timeout=1s, default_action=accept }}")
    assert await upto(chain, "mail") is None
    assert bench.lines[0].endswith("can't read SMFIC_MAIL reply packet header: Connection timed out")


async def test_a_milter_accepts_a_client_or_a_message(bench):
    stub = await bench.stub({"H": [b"a"]})
    assert (await whole(await bench.chain(stub))).is_plain
    assert stub.letters() in ("CH", "CHQ")
    stub = await bench.stub({"R": [b"a"]})
    chain = await bench.chain(stub)
    assert (await whole(chain)).is_plain
    await chain.mail()  # the next message is another one
    assert stub.letters() == "CHMRAM"


async def test_an_accepted_message_is_judged_no_further_but_keeps_its_edits(bench):
    stub = await bench.stub({"E": [b"hX\0y\0", b"a"]})
    assert (await whole(await bench.chain(stub))).header == HEADER + b"X: y\r\n"
    stub = await bench.stub({"L": [b"a"]})
    assert (await whole(await bench.chain(stub))).is_plain
    assert stub.letters("DOA") == "CHMRTL"


async def test_abort_is_said_once_and_only_inside_a_message(bench):
    stub = await bench.stub()
    chain = await bench.chain(stub)
    await upto(chain, "recipient")
    chain.abort()
    chain.abort()
    assert await upto(chain, "helo") is None
    assert (await whole(chain)).is_plain
    chain.abort()
    await chain.helo()
    assert re.sub("L+", "L", stub.letters()) == "CHMRA" + "CH" + "CHMRTLNBE" + "H"


async def test_unknown_commands(bench):
    stub = await bench.stub({"U": [b"y500 5.5.9 what\0"]})
    chain = await bench.chain(stub)
    await upto(chain, "helo")
    assert await chain.unknown("FOO bar") == Reply(500, "5.5.9", "what")
    assert stub.data("U") == [b"FOO bar\0"]


async def test_refused_recipients_are_told_to_who_asked(bench):
    curious = await bench.stub({"R": [b"r"]}, events=0x800)
    other = await bench.stub()
    chain = await bench.chain(curious, other)
    await upto(chain, "mail")
    refusal = Reply(554, "5.7.9", "<bad@example.org>: Recipient address rejected: no")
    assert await chain.recipient("bad@example.org", refusal) is None
    assert curious.data("R") == [b"<bad@example.org>\0"]
    assert curious.macros("R") == {
        "{rcpt_addr}": "Recipient address rejected: no",
        "{rcpt_host}": "5.7.9",
        "{rcpt_mailer}": "error",
    }
    assert other.data("R") == []
    assert bench.lines == []


async def test_a_session_that_ends_while_a_milter_thinks(bench):
    stub = await bench.stub({"E": [b"p"]})
    chain = await bench.chain(stub, milter_default_action="accept")
    assert await upto(chain, "data") is None
    waiting = asyncio.ensure_future(chain.message(HEADER, lambda: iter([BODY])))
    while "E" not in stub.letters():
        await asyncio.sleep(0)
    chain.close()
    assert (await asyncio.wait_for(waiting, 30)).reply == TEMPFAIL
    assert bench.lines == []


async def test_changes_too_large_refuse_the_message(bench):
    big = [b"b" + b"x" * 60000] * 20
    chain = await bench.chain(await bench.stub({"E": [*big, CONTINUE]}), message_size_limit="1000000")
    assert (await whole(chain)).reply == Reply(552, "5.3.4", "Message size exceeds fixed limit")


async def test_the_last_recipient_is_named_by_what_the_client_said(bench):
    chain = await bench.chain(await bench.stub({"E": [b"r"]}))
    await upto(chain, "data")
    chain.session.transaction.recipients.append(Recipient("target@example.org", "alias@example.org"))
    await chain.message(HEADER, lambda: iter([BODY]))
    assert "to=<alias@example.org>" in bench.lines[0]


async def test_a_header_that_becomes_too_large_refuses_the_message(bench, monkeypatch):
    monkeypatch.setattr(edits, "HEADER_LIMIT", 300)
    chain = await bench.chain(await bench.stub({"E": [b"hA\0" + b"x" * 300 + b"\0", CONTINUE]}))
    assert (await whole(chain)).reply == Reply(552, "5.3.4", "Message size exceeds fixed limit")


async def test_what_is_ignored_is_logged(bench):
    chain = await bench.chain(await bench.stub({"E": [b"+<>\0", CONTINUE]}))
    assert (await whole(chain)).is_plain
    assert bench.lines == [f"cleanup: warning: {ID}: ignoring attempt from Milter to add null recipient"]


async def test_discard_at_the_end_of_the_message(bench):
    other = await bench.stub()
    chain = await bench.chain(await bench.stub({"E": [b"hA\0b\0", b"d"]}), other)
    assert await whole(chain) == FilterOutcome(discard=True)
    assert "E" not in other.letters()
    assert bench.lines == [
        (
            f"cleanup: {ID}: milter-discard: END-OF-MESSAGE from c.example[192.0.2.7]:"
            " milter triggers DISCARD action; from=<s@example.net> to=<u@example.org> proto=ESMTP"
            " helo=<c.example>"
        )
    ]


async def test_discard_when_a_refused_recipient_is_told(bench):
    chain = await bench.chain(await bench.stub({"R": [b"d"]}, events=0x800))
    await upto(chain, "mail")
    assert await chain.recipient("bad@example.org", Reply(550, "5.1.1", "no")) is None
    assert "DISCARD" in chain.session.transaction.actions
    assert (await chain.message(HEADER, lambda: iter([BODY]))).discard


async def test_a_local_recipient_cannot_be_refused(bench):
    stub = await bench.stub({"R": [b"r"]})
    milters = (await bench.chain(stub))._milters
    chain = MilterSession(a_session(local_uid=0), milters, bench.log, "mx.example.org", local=True)
    chain.session = chain._session
    assert await upto(chain, "recipient") == Reply(451, "4.3.5", "Server configuration error")
    assert bench.lines[-1].endswith("can't reject recipient in non-smtpd(8) submission")
