import asyncio

import pytest

from patience import until
from postroad.base.errors import StoreUnavailable
from postroad.model.message import Text
from postroad.proto import client_stages as stages

STAGES = {
    "greeting": "receiving the initial server greeting",
    "EHLO": "performing the EHLO handshake",
    "MAIL": "sending MAIL FROM",
    "RCPT": "sending RCPT TO",
    "DATA": "sending DATA command",
    "dot": "sending end of data -- message may be sent more than once",
}
PLAIN = "250-there.example\r\n250 SIZE"


@pytest.mark.parametrize("ehlo", [None, PLAIN], ids=["pipelining", "one by one"])
@pytest.mark.parametrize("verb", STAGES)
async def test_a_lost_connection_names_its_stage(servers, post, job_of, verb, ehlo):
    server = await servers(**({"EHLO": ehlo} if ehlo else {}) | {verb: None})
    job = await post(server).deliver(job_of())
    (outcome,) = job.outcomes
    assert outcome.status == "4.4.2"
    assert outcome.text == f"lost connection with {server.named} while {STAGES[verb]}"
    assert (outcome.remote, outcome.reply) == ("", "")
    assert job.site_failure is outcome


@pytest.mark.parametrize("verb", STAGES)
async def test_a_late_answer_names_its_stage(servers, post, job_of, verb):
    server = await servers(**{verb: ...})
    late = {"greeting": "GREETING", "dot": "DOT"}.get(verb, verb)
    made = post(server, timeouts={getattr(stages, late): 0.02})
    (outcome,) = (await made.deliver(job_of())).outcomes
    assert (outcome.status, outcome.text) == (
        "4.4.2",
        f"conversation with {server.named} timed out while {STAGES[verb]}",
    )


async def test_a_byte_now_and_then_does_not_hold_the_time_limit(servers, post, job_of):
    server = await servers()

    async def drip(writer, line, verb):
        while not writer.is_closing():
            writer.write(b"2")
            await asyncio.sleep(0.005)
        return ""

    server._answer = drip
    made = post(server, timeouts={stages.GREETING: 0.05})
    (outcome,) = (await made.deliver(job_of())).outcomes
    assert "timed out while receiving the initial server greeting" in outcome.text


@pytest.mark.parametrize(
    ("answers", "stage"),
    [
        ({"MAIL": "250 Ok\r\nhello there"}, "RCPT"),
        ({"RCPT": "250 Ok\r\n250 Ok again"}, "DATA"),
        ({"DATA": "354 go\r\n250 Ok: queued already"}, "DATA"),
        ({"dot": "hello\r\n221 bye"}, "dot"),
        ({"dot": "354 more"}, "dot"),
        ({"RCPT": "354 go"}, "RCPT"),
        ({"greeting": "220 hello\r\n250 Ok"}, "greeting"),
        ({"EHLO": "250-there\r\n250 PIPELINING\r\n250 Ok"}, "EHLO"),
        ({"dot": b"250-x\r\n" * 20_000}, "dot"),
    ],
)
async def test_nonsense_is_deferred_and_never_counted_as_delivered(servers, post, job_of, answers, stage):
    server = await servers(**answers)
    made = post(server)
    made.agent._context.idle_limit = 1000.0  # what is kept stays open
    (outcome,) = (await made.deliver(job_of())).outcomes
    assert outcome.status == "4.5.0"
    assert outcome.text == f"protocol error in reply from {server.named} while {STAGES[stage]}"
    about = "" if stage in ("greeting", "EHLO") else "000000000000123: "
    assert made.lines[0].startswith(f"smtp: warning: {about}non-ESMTP response from {server.relay}: ")
    await until(lambda: server.open == 0)


@pytest.mark.parametrize("reply", ["550 5.7.2", "550", "550-5.7.2 a\r\n550 5.7.2"])
async def test_a_code_without_text_is_a_refusal(servers, post, job_of, reply):
    server = await servers(MAIL=reply)
    (outcome,) = (await post(server).deliver(job_of())).outcomes
    assert outcome.status in ("5.7.2", "5.0.0")
    assert outcome.text.endswith("(in reply to MAIL FROM command)")


async def test_a_hostile_answer_stays_one_line(servers, post, job_of):
    server = await servers(
        RCPT=b"550-5.1.1 a\rb\x00c\x1b[2J\r\n550-\xff\xfe\r\n" + b"550-x\r\n" * 100 + b"550 5.1.1 end\r\n"
    )
    (outcome,) = (await post(server).deliver(job_of())).outcomes
    assert outcome.status == "5.1.1"
    assert outcome.reply.isprintable()
    assert len(outcome.reply) < 5000


async def test_a_large_content_is_streamed_whole(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250 PIPELINING")
    content = Spooled(b".line %07d\r\n", 50_000)
    (outcome,) = (await post(server).deliver(job_of(content=content))).outcomes
    assert outcome.status == "2.0.0"
    received = server.messages[0]
    assert len(received) == content.size + 50_000 + 3
    assert received.endswith(b"..line 0049999\r\n.\r\n")


async def test_a_server_that_stops_reading_is_given_up(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250 PIPELINING")
    server.read_content = False
    made = post(server, timeouts={stages.BODY: 0.05})
    content = Spooled(b".line %07d\r\n", 3_000_000)
    (outcome,) = (await made.deliver(job_of(content=content))).outcomes
    assert outcome.text == f"conversation with {server.named} timed out while sending message body"
    assert content.read < content.size / 2  # memory stays flat


async def test_a_content_that_cannot_be_read_is_deferred_and_never_ended(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250 PIPELINING")
    content = Spooled(b"line %07d\r\n", 50_000, fails_at=20_000)
    (outcome,) = (await post(server).deliver(job_of(content=content))).outcomes
    assert (outcome.status, outcome.text) == ("4.3.0", f"local data error while talking to {server.named}")
    await asyncio.sleep(0.02)
    assert server.messages == []


async def test_an_early_refusal_of_a_large_content_is_heard(servers, post, job_of):
    server = await servers()

    async def refuse(reader, writer):
        for lines, answer in ((0, b"220 hi"), (1, b"250 there"), (1, b"250 Ok"), (1, b"250 Ok"), (1, b"354 go"), (2, b"552 5.3.4 too much")):  # fmt: skip
            for _ in range(lines):
                await reader.readline()
            writer.write(answer + b"\r\n")
        while await reader.read(65536):
            pass

    server._converse = refuse
    content = Spooled(b"line %07d\r\n", 3_000_000)
    (outcome,) = (await post(server).deliver(job_of(content=content))).outcomes
    assert outcome.status == "5.3.4"
    assert outcome.text.endswith("(in reply to end of DATA command)")
    assert content.read < content.size


async def test_long_lines_are_broken_and_noted(servers, post, job_of):
    server = await servers()
    made = post(server)
    await made.deliver(job_of(content=b"x" * 1000 + b"\r\n"))
    assert server.messages == [b"x" * 998 + b"\r\n xx\r\n.\r\n"]
    assert made.lines == ["smtp: 000000000000123: breaking line > 998 bytes with <CR><LF>SPACE"]


async def test_8bit_content_is_converted_for_a_server_without_8bitmime(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250-SIZE\r\n250 PIPELINING")
    job = job_of(content="Content-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n".encode())
    job.message.eight_bit = True
    await post(server).deliver(job)
    assert server.messages == [b"Content-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9Fe\r\n.\r\n"]
    assert server.log[1] == "MAIL FROM:<alice@example.test>"


async def test_8bit_content_is_sent_as_it_is_when_told_so(servers, post, job_of):
    server = await servers(EHLO="250 there")
    job = job_of(content="Content-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n".encode())
    job.message.eight_bit = True
    await post(server, disable_mime_output_conversion="yes").deliver(job)
    assert "grüße".encode() in server.messages[0]


async def test_a_utf8_header_needs_a_server_with_smtputf8(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250 8BITMIME")
    job = job_of(content="Subject: grüße\r\n\r\n".encode())
    job.message.smtputf8 = True
    (outcome,) = (await post(server).deliver(job)).outcomes
    assert (outcome.status, outcome.text) == (
        "5.6.7",
        f"SMTPUTF8 is required, but was not offered by host {server.named}",
    )
    assert "MAIL" not in server.verbs()


async def test_a_plain_message_of_a_utf8_sender_needs_none(servers, post, job_of):
    server = await servers(EHLO="250-there\r\n250 8BITMIME")
    job = job_of()
    job.message.smtputf8 = True
    assert (await post(server).deliver(job)).outcomes[0].status == "2.0.0"


async def test_ignored_keywords_are_noted(servers, post, job_of):
    server = await servers()
    made = post(server, smtp_discard_ehlo_keywords="size, pipelining")
    await made.deliver(job_of())
    assert made.lines == ["smtp: discarding EHLO keywords: PIPELINING SIZE"]
    assert server.log[1] == "MAIL FROM:<alice@example.test>"


class Spooled(Text):
    """A content as if in a file: made while it is read."""

    __slots__ = ("count", "fails_at", "line", "read")

    def __init__(self, line, count, fails_at=None):
        self.line, self.count, self.fails_at = line, count, fails_at
        self.data = None
        self.size = len(line % 0) * count
        self.read = 0

    def pieces(self, size=65536):
        for start in range(0, self.count, 5000):
            if self.fails_at is not None and start >= self.fails_at:
                raise StoreUnavailable("gone")
            piece = b"".join(self.line % n for n in range(start, min(start + 5000, self.count)))
            self.read += len(piece)
            yield piece
