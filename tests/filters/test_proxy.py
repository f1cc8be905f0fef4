"""What a filter hears of a session and its message, and what its client hears of the filter."""

from __future__ import annotations

import asyncio

import pytest

from filters.conftest import a_session, settings
from peers.nexthop import HANG_UP, SILENT, NextHop
from postroad.base.errors import TableUnavailable
from postroad.filters import proxy as module
from postroad.filters.proxy import ProxiedPolicy, Proxy, ProxyReceiver
from postroad.filters.proxylink import read_spec
from postroad.model.message import NEVER, Recipient
from postroad.model.reply import Reply
from postroad.model.session import Transaction
from postroad.proto.replies import ServerReply

XFORWARD = "250-f\r\n250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n250 8BITMIME"
GENERIC = "451 4.3.0 Error: queue file write error"


class Origin:
    """What the intake knows."""

    def __init__(self):
        self.error = None

    def heading(self, session):
        return b"Received: from here\r\n"

    async def facts(self, session):
        if self.error:
            raise self.error
        return {
            "log_client_name": "c.example",
            "log_client_address": "192.0.2.7",
            "log_protocol_name": "ESMTP",
        }


class Stand:
    """One filter, and a session whose mail goes through it."""

    def __init__(self, bench, tmp_path, options):
        self.bench = bench
        self.origin = Origin()
        self.hop = NextHop().__enter__()
        bench.stack.callback(self.hop.__exit__)
        self.proxy = Proxy(
            settings(
                smtpd_proxy_filter=f"127.0.0.1:{self.hop.port}",
                smtpd_proxy_timeout="100s",
                smtpd_proxy_options=options,
                queue_directory=str(tmp_path),
            ),
            origin=self.origin,
            log=bench.log,
            wheel=bench.wheel,
            loop=bench.loop,
        )
        self.session = a_session()
        self.session.protocol = "ESMTP"
        self.session.helo = "h.example"
        self.session.transaction.sender = "s@client.example"

    async def rcpt(self, address, notify=0, orcpt=""):
        """Do what smtpd does; returns the refusal."""
        transaction = self.session.transaction
        recipient = transaction.asked = Recipient(address, address, notify, orcpt)
        reply = None if self.proxy.late else await self.proxy.recipient(self.session, address)
        if reply is None:
            transaction.recipients.append(recipient)
            if len(transaction.recipients) == 1:
                self.receiver = self.proxy.open(self.session)
        return reply.line() if reply else None

    async def data(self):
        reply = None if self.proxy.late else await self.proxy.data(self.session)
        return reply.line() if reply else None

    async def end(self):
        said = self.bench.loop.create_future()
        self.receiver.commit(said.set_result)
        return (await asyncio.wait_for(said, 30)).line()

    async def send(self, *pieces, to=("a@here.test",)):
        """Send a message as far as it goes; returns the last reply."""
        for address in to:
            refusal = await self.rcpt(address)
            if refusal:
                return refusal
        refusal = await self.data()
        if refusal:
            self.receiver.abort()
            return refusal
        for piece in pieces:
            self.receiver.feed(piece)
        return await self.end()


@pytest.fixture(params=["", "speed_adjust"], ids=["live", "speed_adjust"])
def stand(bench, tmp_path, request):
    return Stand(bench, tmp_path, request.param)


@pytest.fixture
def live(bench, tmp_path):
    return Stand(bench, tmp_path, "")


async def test_the_filters_answer_is_the_clients(stand):
    assert (
        await stand.send(b"Subject: x\r\n", b"\r\nbody\r\n", to=("a@here.test", "b@here.test"))
        == "250 2.0.0 Kept"
    )
    [got] = stand.hop.accepted
    assert (got.sender, got.recipients) == ("s@client.example", ["a@here.test", "b@here.test"])
    assert got.content == b"Received: from here\r\nSubject: x\r\n\r\nbody\r\n"
    assert stand.hop.lines[:2] == ["EHLO mx.example.org", "MAIL FROM:<s@client.example>"]
    assert stand.bench.lines[-1].endswith(
        "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Kept; from=<s@client.example> to=<a@here.test> proto=ESMTP helo=<h.example>"
    )
    while "QUIT" not in stand.hop.lines:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b".\r\nMAIL FROM:<evil@x>\r\n", b".\r\nMAIL FROM:<evil@x>\r\n"),
        (b"..\r\n", b"..\r\n"),
        (b"x\n.\nQUIT\n", b"x . QUIT \r\n"),
        (b"x\r.\rQUIT\r\n", b"x . QUIT\r\n"),
        (b"x\r\n.\rQUIT\r\n", b"x\r\n. QUIT\r\n"),
        (b"no end", b"no end\r\n"),
        (b"cr at the end\r", b"cr at the end\r\n"),
        (b"", b""),
    ],
)
async def test_nothing_in_a_content_can_end_it(stand, content, sent):
    cut = [content[at : at + 1] for at in range(len(content))]
    for pieces in ([content], cut):
        stand.hop.received.clear()
        stand.session.transaction = Transaction(sender="s@client.example")
        assert await stand.send(*pieces) == "250 2.0.0 Kept"
        [got] = stand.hop.received
        head, _, rest = got.content.partition(b"\r\n")
        assert head == b"Received: from here"
        assert rest.rstrip(b" \r\n") == sent.rstrip(b" \r\n")
        assert b"\n" not in rest.replace(b"\r\n", b"")
    assert not any(line.startswith("MAIL FROM:<evil") for line in stand.hop.lines)


@pytest.mark.parametrize(
    ("answers", "reply"),
    [
        ({".": "550 5.7.1 virus"}, "550 5.7.1 virus"),
        ({".": "550-5.7.1 one\r\n550 5.7.1 two"}, "550 5.7.1 two"),
        ({".": "451 4.7.1 later"}, "451 4.7.1 later"),
        ({".": "354 what"}, GENERIC),
        ({".": HANG_UP}, GENERIC),
        ({".": "hello"}, GENERIC),
        ({"connect": "554 no"}, GENERIC),
        ({"EHLO": "502 no"}, GENERIC),
        ({"MAIL": "450 4.1.8 who"}, "450 4.1.8 who"),
        ({"RCPT": "550 5.1.1 no such"}, "550 5.1.1 no such"),
        ({"RCPT": HANG_UP}, GENERIC),
        ({"DATA": "554 5.5.1 no data"}, "554 5.5.1 no data"),
        ({"DATA": "250 a yes where only 354 would do"}, GENERIC),
        ({"RCPT": "354 a go-ahead where only a yes would do"}, GENERIC),
        ({"EHLO": XFORWARD, "XFORWARD": "501 no"}, GENERIC),
    ],
)
async def test_a_filter_that_fails_or_refuses_never_becomes_an_acceptance(stand, answers, reply):
    stand.hop.answers.update(answers)
    assert await stand.send(b"x\r\n") == reply
    assert all(each.answer[:1] != "2" for each in stand.hop.received)
    while stand.bench.wheel._members:
        await asyncio.sleep(0.005)  # no connection is left


async def test_a_filter_that_is_silent_is_given_up(stand):
    stand.hop.answers["."] = SILENT
    stand.proxy.limit = 2.0
    assert await stand.send(b"x\r\n") == GENERIC
    assert any("timeout talking to proxy" in line for line in stand.bench.lines)
    assert "proxy-reject: END-OF-MESSAGE: 451" in stand.bench.lines[-1]


async def test_one_that_is_not_there(stand):
    stand.proxy.spec = read_spec("127.0.0.1:1", "/")
    assert await stand.send(b"x\r\n") == GENERIC
    assert any("warning: connect to proxy filter" in line for line in stand.bench.lines)


async def test_a_recipient_may_be_refused_alone(live):
    live.hop.answers["RCPT"] = lambda line: "550 5.1.1 no such" if "nobody" in line else "250 2.1.5 Ok"
    assert await live.rcpt("nobody@here.test") == "550 5.1.1 no such"
    assert await live.rcpt("a@here.test") is None
    assert await live.rcpt("nobody2@here.test") == "550 5.1.1 no such"
    assert await live.rcpt("b@here.test") is None
    assert await live.data() is None
    assert await live.end() == "250 2.0.0 Kept"
    assert live.hop.accepted[0].recipients == ["a@here.test", "b@here.test"]
    assert any(
        'rejected "RCPT TO:<nobody2@here.test>": "550 5.1.1 no such"' in line for line in live.bench.lines
    )


async def test_with_speed_adjust_one_refusal_is_for_all(bench, tmp_path):
    stand = Stand(bench, tmp_path, "speed_adjust")
    stand.hop.answers["RCPT"] = lambda line: "550 5.1.1 no such" if "nobody" in line else "250 2.1.5 Ok"
    assert await stand.rcpt("a@here.test") is None
    assert stand.hop.connections == 0
    assert await stand.rcpt("nobody@here.test") is None
    assert await stand.end() == "550 5.1.1 no such"
    assert stand.hop.received == []


async def test_the_envelope_is_told_as_it_was_said(stand):
    stand.hop.answers |= {"EHLO": XFORWARD, "XFORWARD": "250 Ok"}
    transaction = stand.session.transaction
    transaction.size, transaction.eight_bit, transaction.ret, transaction.envid = 30, True, "HDRS", "a+b"
    await stand.rcpt("a@here.test", NEVER, "rfc822;o@x")
    await stand.data()
    assert await stand.end() == "250 2.0.0 Kept"
    assert stand.hop.lines[1:5] == [
        "XFORWARD NAME=c.example ADDR=192.0.2.7",
        "XFORWARD PROTO=ESMTP SOURCE=REMOTE",
        "MAIL FROM:<s@client.example> SIZE=30 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
        "RCPT TO:<a@here.test> ORCPT=rfc822;o@x NOTIFY=NEVER",
    ]


async def test_a_message_that_is_given_up_has_no_end_for_the_filter(live):
    await live.rcpt("a@here.test")
    await live.data()
    live.receiver.feed(b"half a message\r\n")
    live.receiver.abort()
    live.receiver.feed(b"more\r\n")
    while live.hop._clients:
        await asyncio.sleep(0.005)
    assert live.hop.received == []
    await live.rcpt("b@here.test")


async def test_a_client_that_leaves_while_the_filter_thinks_leaves_no_connection(live):
    live.hop.answers["RCPT"] = SILENT
    asked = asyncio.ensure_future(live.proxy.recipient(live.session, "a@here.test"))
    while not any(line.startswith("RCPT") for line in live.hop.lines):
        await asyncio.sleep(0.005)
    live.session.on_end()
    assert (await asked).line() == GENERIC
    while live.hop._clients or live.bench.wheel._members:
        await asyncio.sleep(0.005)
    assert live.bench.lines == []


async def test_the_end_of_a_session_leaves_a_message_at_its_commit_alone(live):
    await live.rcpt("a@here.test")
    await live.data()
    live.session.on_end()
    assert await live.end() == "250 2.0.0 Kept"


async def test_a_transaction_that_ends_before_its_content_is_left_politely(live):
    await live.rcpt("a@here.test")
    live.receiver.abort()
    while "QUIT" not in live.hop.lines:
        await asyncio.sleep(0.005)


async def test_what_a_slow_filter_does_not_read_goes_to_a_file(live, monkeypatch):
    await live.rcpt("a@here.test")
    await live.data()
    live.receiver.feed(b"first\r\n")
    live.receiver._conversation.link.pause_writing()
    for number in range(100):
        live.receiver.feed(b"%04d" % number + b"x" * 9996 + b"\r\n")
    assert live.receiver._outbox._file is not None
    live.receiver._conversation.link.resume_writing()
    live.receiver.feed(b"last\r\n")
    assert await live.end() == "250 2.0.0 Kept"
    lines = live.hop.accepted[0].content.split(b"\r\n")
    assert [line[:4] for line in lines[2:102]] == [b"%04d" % number for number in range(100)]
    assert lines[102:] == [b"last", b""]


async def test_a_refusal_in_the_middle_of_a_message_is_handed_on(live, monkeypatch):
    await live.rcpt("a@here.test")
    await live.data()
    reply = ServerReply(552, b"552 5.3.4 too big")
    monkeypatch.setattr(live.receiver._conversation.link, "early", lambda: reply)
    live.receiver.feed(b"x\r\n")
    assert await live.end() == "552 5.3.4 too big"
    assert live.hop.accepted == []


async def test_a_yes_in_the_middle_of_a_message_is_none(live, monkeypatch):
    await live.rcpt("a@here.test")
    await live.data()
    reply = ServerReply(250, b"250 Ok")
    monkeypatch.setattr(live.receiver._conversation.link, "early", lambda: reply)
    live.receiver.feed(b"x\r\n")
    assert await live.end() == GENERIC
    assert live.hop.accepted == []


async def test_a_disk_that_is_full_is_said_at_the_end(stand, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    await stand.rcpt("a@here.test")
    await stand.data()
    monkeypatch.setattr(module.Outbox, "put", full)
    stand.receiver.feed(b"x\r\n")
    stand.receiver.feed(b"y\r\n")
    assert await stand.end() == GENERIC
    assert stand.hop.accepted == []
    assert any("No space left" in line for line in stand.bench.lines)


async def test_a_table_that_cannot_be_asked_leaves_no_connection(live):
    live.hop.answers["EHLO"] = XFORWARD
    live.origin.error = TableUnavailable("hash:/x: gone")
    with pytest.raises(TableUnavailable):
        await live.rcpt("a@here.test")
    while live.hop._clients or live.bench.wheel._members:
        await asyncio.sleep(0.005)


async def test_data_without_a_filter_is_refused(live):
    assert await live.data() == GENERIC


class Policy:
    """Says one reply at each stage."""

    stages = frozenset({"recipient"})

    def __init__(self, reply=None):
        self.reply, self.asked = reply, []

    async def recipient(self, session, address):
        self.asked.append(address)
        return self.reply

    async def data(self, session):
        raise AssertionError("it has nothing to say there")

    connect = helo = mail = end_of_data = verify = etrn = data


async def test_whom_the_policy_refuses_the_filter_never_hears_of(live):
    refusal = Reply(554, "5.7.1", "no")
    policy = ProxiedPolicy(Policy(refusal), live.proxy)
    assert await policy.recipient(live.session, "a@here.test") is refusal
    assert live.hop.connections == 0
    policy = ProxiedPolicy(Policy(), live.proxy)
    assert policy.stages == {"recipient", "data"}
    assert await policy.recipient(live.session, "a@here.test") is None
    assert await policy.data(live.session) is None
    assert live.hop.lines[-2:] == ["RCPT TO:<a@here.test>", "DATA"]


async def test_an_address_that_cannot_be_said(live):
    assert await live.rcpt("a\nb@x") == GENERIC
    assert isinstance(live.proxy.open(live.session), ProxyReceiver)


def test_options_that_do_not_exist(bench):
    with pytest.raises(ValueError, match='unknown smtpd_proxy_options value "faster"'):
        Proxy(
            settings(smtpd_proxy_filter="127.0.0.1:1", smtpd_proxy_options="speed_adjust faster"),
            origin=Origin(), log=bench.log, wheel=bench.wheel, loop=bench.loop,
        )  # fmt: skip
