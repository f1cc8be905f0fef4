from filters.conftest import BODY, a_session, settings
from filters.stub import CONTINUE, number
from postroad.filters.macros import Macros, Moment
from postroad.filters.milter import NOTHING, Milter, Said, Surroundings
from postroad.filters.spec import read_milters
from postroad.model.reply import Reply
from postroad.proto.milter import codec

FIELDS = [("Subject", b"  two"), ("X", b"\tfold\r\n more")]
TEMPFAIL = Reply(451, "4.7.1", "Service unavailable - try again later")


async def connected(bench, answers=None, *, limit=10_000, **rest):
    stub = await bench.stub(answers, **rest)
    milter = a_milter(bench, stub.name, limit)
    assert await milter.connect("smtpd") == NOTHING
    return stub, milter


def a_milter(bench, name, limit=10_000):
    (spec,) = read_milters([name], settings())
    around = Surroundings(bench.log, bench.wheel, bench.loop, "/", limit, Macros(settings()))
    milter = Milter(spec, around)
    bench.stack.callback(milter.close)
    return milter


def moment():
    session = a_session()
    session.transaction.sender = "s@example.net"
    return Moment(session, "u@example.org")


async def told(milter, event, data=b""):
    return await milter.tell(event, data, moment(), "smtpd")


async def shown(milter, body=BODY):
    await told(milter, codec.MAIL)
    return await milter.message(FIELDS, lambda: iter([body]), moment(), "cleanup")


async def test_events_that_a_milter_does_not_want_are_not_told_but_their_macros_are(bench):
    stub, milter = await connected(bench, events=0x37F)
    for event in (codec.CONNECT, codec.HELO, codec.MAIL, codec.RCPT, codec.DATA, codec.UNKNOWN):
        assert await told(milter, event) == NOTHING
    said, edits, _ = await milter.message(FIELDS, lambda: iter([BODY]), moment(), "cleanup")
    assert said == NOTHING
    assert not edits
    assert stub.letters() == "E"
    assert [data[:1] for data in stub.data("D")] == [b"C", b"H", b"M", b"R", b"T", b"U", b"N", b"E"]


async def test_events_without_answers_go_out_together(bench):
    stub, milter = await connected(bench, {"E": [b"hA\0 b\0", CONTINUE]}, events=0x1FF080)
    said, edits, space = await shown(milter, b"x" * 200_000)
    assert said == NOTHING
    assert space
    assert len(edits.header) == 1
    assert stub.data("L") == [b"Subject\0  two\0", b"X\0\tfold\n more\0"]
    assert [len(data) for data in stub.data("B")] == [65535, 65535, 65535, 3395]


async def test_the_blank_behind_the_colon_is_sent_only_to_who_asked(bench):
    stub, milter = await connected(bench)
    assert (await shown(milter)).leading_space is False
    assert stub.data("L") == [b"Subject\0 two\0", b"X\0\tfold\n more\0"]


async def test_old_versions(bench):
    stub, milter = await connected(bench, version=2)
    for event in (codec.DATA, codec.UNKNOWN):
        assert await told(milter, event) == NOTHING
    await shown(milter)
    assert stub.letters() == "MLLNBE"
    assert {data[:1] for data in stub.data("D")} == {b"M", b"L", b"N", b"B", b"E"}


async def test_an_unusual_version_is_logged(bench):
    stub, _ = await connected(bench, version=1)
    assert bench.lines == [f"smtpd: warning: milter {stub.name}: unexpected protocol version 1"]


async def test_macros_that_a_milter_asked_for(bench):
    symbols = number(2) + b"{mail_addr} j\0" + number(5) + b"\0"
    stub, milter = await connected(bench, symbols=symbols)
    await shown(milter)
    assert stub.macros("M") == {"{mail_addr}": "s@example.net", "j": "mx.example.org"}
    assert stub.macros("E") == {}


async def test_skip(bench):
    stub, milter = await connected(bench, {"L": [b"s"], "B": [b"s"], "R": [b"s"]}, events=0x400)
    for _ in range(2):
        stub.seen.clear()
        await told(milter, codec.MAIL)
        await told(milter, codec.RCPT)
        await told(milter, codec.RCPT)
        await milter.message(FIELDS, lambda: iter([b"x" * 200_000]), moment(), "cleanup")
        assert stub.letters("DOA") == "MRLNBE"


async def test_a_message_without_a_body(bench):
    stub, milter = await connected(bench)
    await told(milter, codec.MAIL)
    await milter.message(FIELDS, lambda: iter(()), moment(), "cleanup")
    assert stub.letters() == "MLLNE"


async def test_quarantine_with_each_part_of_a_message(bench):
    for letter in "LNBE":
        _, milter = await connected(bench, {letter: [b"qx\0", CONTINUE]})
        assert (await shown(milter)).said == Said(hold=True)


async def test_discard_and_accept_in_a_message(bench):
    _, milter = await connected(bench, {"N": [b"d"]})
    assert await shown(milter) == (Said(discard=True), None, False)
    stub, milter = await connected(bench, {"N": [b"a"]})
    assert await shown(milter) == (NOTHING, None, False)
    assert (await shown(milter)).said == NOTHING  # the next one is shown again
    assert stub.letters()[:9] == "MLLNAMLLN"


async def test_failures_stand_from_connecting_on(bench):
    milter = a_milter(bench, "inet:127.0.0.1:1")
    assert (await milter.connect("smtpd")).reply == TEMPFAIL
    assert (await shown(milter)).said.reply == TEMPFAIL
    milter = a_milter(bench, (await bench.stub({"O": [b"c"]})).name)
    assert (await milter.connect("smtpd")).reply == TEMPFAIL
    assert bench.lines[-1].endswith(': unexpected reply "c" in initial handshake')


async def test_verdicts_on_a_session_stand(bench):
    for answer, said in ((b"a", NOTHING), (b"r", Said(Reply(550, "5.7.1", "Command rejected")))):
        stub, milter = await connected(bench, {"H": [answer]})
        assert await told(milter, codec.HELO) == said
        assert await told(milter, codec.MAIL) == said
        assert stub.data("M") == []
    _, milter = await connected(bench, {"R": [b"4"]})
    assert (await told(milter, codec.RCPT)).reply.code == 421
    assert (await told(milter, codec.MAIL)).reply.code == 421


async def test_a_reply_that_cannot_be_given(bench):
    _, milter = await connected(bench, {"R": [b"y250 ok\0"]})
    reply = Reply(451, "4.3.5", "Server configuration problem - try again later")
    assert (await told(milter, codec.RCPT)).reply == reply
    assert (await told(milter, codec.MAIL)).reply == reply


async def test_a_message_accepted_before_it_came(bench):
    stub, milter = await connected(bench, {"R": [b"a"]})
    await told(milter, codec.MAIL)
    assert await told(milter, codec.RCPT) == NOTHING
    assert await told(milter, codec.DATA) == NOTHING
    assert await milter.message(FIELDS, lambda: iter([BODY]), moment(), "cleanup") == (NOTHING, None, False)
    assert stub.letters("DOA") == "MR"


async def test_dying_in_a_message(bench):
    _, milter = await connected(bench, {"B": [b"DIE"]})
    assert await shown(milter) == (Said(TEMPFAIL), None, False)


async def test_refused_recipients_are_not_for_every_milter(bench):
    stub, milter = await connected(bench)
    refused = moment()
    refused.refusal = Reply(550, "5.1.1", "no")
    assert await milter.tell(codec.RCPT, b"<x>\0", refused, "smtpd") == NOTHING
    assert stub.letters() == ""


async def test_who_was_never_asked_has_not_accepted(bench):
    milter = a_milter(bench, "inet:127.0.0.1:1")
    assert (await told(milter, codec.MAIL)).reply == TEMPFAIL
    milter = a_milter(bench, "inet:127.0.0.1:1")
    assert (await milter.message(FIELDS, lambda: iter([BODY]), moment(), "cleanup")).said.reply == TEMPFAIL


async def test_too_large_a_body(bench):
    _, milter = await connected(bench, {"E": [b"b" + b"x" * 101, CONTINUE]}, limit=100)
    found = await shown(milter)
    assert found.said.reply == Reply(552, "5.3.4", "Message size exceeds fixed limit")
    assert found.edits is None
    assert (await told(milter, codec.MAIL)).reply == TEMPFAIL


async def test_abort_without_a_connection_and_close_twice(bench):
    milter = a_milter(bench, "inet:127.0.0.1:1")
    milter.abort()
    milter.close()
    milter.close()


async def test_a_milter_that_is_closed_while_it_is_dialled(bench):
    stub = await bench.stub()
    milter = a_milter(bench, stub.name)
    milter.close()
    assert await milter.connect("smtpd") == NOTHING
    assert bench.lines == []
