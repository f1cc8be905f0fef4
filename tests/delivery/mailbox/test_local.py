"""local(8): mail for aliases goes on, mail for users waits, mail for nobody bounces."""

from __future__ import annotations

import itertools

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox.local import LocalAgent, system_user
from postroad.model.message import FAILURE, SUCCESS, Recipient, Text

ALIASES = """inline:{
    {staff=alice, bob@far.test}, {list=m@far.test}, {owner-list=boss}, {mixed=list, x@far.test}, {cmd=|x}
}"""


class FakeSpool:
    def __init__(self, broken=False):
        self.data = b""
        self.broken = broken
        self.aborted = False

    def write(self, data):
        if self.broken:
            raise StoreUnavailable("disk full")
        self.data += data

    def finish(self):
        return Text(self.data)

    def abort(self):
        self.aborted = True


@pytest.fixture
def spools():
    return []


@pytest.fixture
def agent(settings, context, log, clock, spools):
    def make(broken=False, expand=None, **texts):
        keys = itertools.count(0x1000)

        def spool(key):
            spools.append(FakeSpool(broken))
            return spools[-1]

        return LocalAgent(
            settings(**{"alias_maps": ALIASES, "recipient_delimiter": "+"} | texts),
            transport="local",
            tables=context,
            log=log,
            clock=clock,
            new_key=lambda: next(keys),
            spool=spool,
            expand=expand,
            user_exists=lambda name: name == "alice",
        )

    return make


def said(outcomes):
    return [(outcome.status, outcome.text) for outcome in outcomes]


async def test_an_alias_becomes_a_new_message(agent, job, run, clock):
    here = job(Recipient("Staff@here.test", "info@here.test"), transport="local")
    outcomes = await run(agent(), here)
    assert said(outcomes) == [("2.0.0", "forwarded as 000000000001000")]
    assert (outcomes[0].relay, outcomes[0].action) == ("local", "expanded")
    (made,) = here.new_messages
    assert (made.key, made.sender, made.arrival) == (0x1000, "a@example.net", clock.now())
    assert [(r.address, r.original) for r in made.recipients] == [
        ("alice@here.test", "info@here.test"),
        ("bob@far.test", "info@here.test"),
    ]
    lines = made.content.data.split(b"\r\n")
    assert lines[0] == b"Received: by mx.here.test (Postfix)"
    assert lines[1].startswith(b"\tid 000000000001000; ")
    assert lines[2:] == [b"Delivered-To: staff@here.test", b"Subject: x", b"", b"hello", b""]
    assert made.size == len(made.content.data)


async def test_delivered_to_may_be_left_out(agent, job, run):
    here = job("staff@here.test")
    await run(agent(prepend_delivered_header="command"), here)
    assert b"Delivered-To" not in here.new_messages[0].content.data


async def test_each_owner_has_its_own_message(agent, job, run):
    here = job(Recipient("mixed@here.test", notify=SUCCESS | FAILURE))
    outcomes = await run(agent(), here)
    assert said(outcomes) == [("2.0.0", "forwarded as 000000000001000, 000000000001001")]
    assert outcomes[0].action == "delivered"
    assert [(m.sender, [r.address for r in m.recipients]) for m in here.new_messages] == [
        ("owner-list@here.test", ["m@far.test"]),
        ("a@example.net", ["x@far.test"]),
    ]
    assert here.new_messages[1].recipients[0].notify == FAILURE


async def test_recipients_of_new_messages_are_mapped(agent, job, run):
    async def expand(sender, recipients):
        return [Recipient(f"mapped-{recipient.address}") for recipient in recipients]

    here = job("list@here.test")
    await run(agent(expand=expand), here)
    assert [r.address for r in here.new_messages[0].recipients] == ["mapped-m@far.test"]


@pytest.mark.parametrize(
    ("address", "status", "text"),
    [
        ("alice@here.test", "4.3.0", "mailboxes of system users are not delivered yet"),
        ("alice+tag@here.test", "4.3.0", "mailboxes of system users are not delivered yet"),
        ("Nobody+tag@here.test", "5.1.1", 'unknown user: "nobody"'),
        ("postmaster@here.test", "2.0.0", "discarded"),
        ("cmd@here.test", "4.3.0", "alias cmd: delivery to a command is not supported yet"),
        ("@here.test", "5.1.3", 'null username in "@here.test"'),
    ],
)
async def test_other_names_have_their_answers(agent, job, run, address, status, text):
    here = job(address)
    assert said(await run(agent(), here)) == [(status, text)]
    assert here.new_messages == []


async def test_a_loop_is_seen_by_delivered_to(agent, job, run):
    here = job("Staff@here.test", content=Text(b"Delivered-To: staff@here.test\r\n\r\nx\r\n"))
    assert said(await run(agent(), here)) == [("5.4.6", "mail forwarding loop for Staff@here.test")]
    assert here.new_messages == []


async def test_a_loop_is_seen_by_the_hops(agent, job, run):
    here = job("staff@here.test", content=Text(b"Received: by a\r\n" * 3 + b"\r\nx\r\n"))
    assert said(await run(agent(hopcount_limit="3"), here)) == [("5.4.6", "too many hops")]
    assert said(await run(agent(hopcount_limit="4"), job("staff@here.test")))[0][0] == "2.0.0"


async def test_a_table_that_cannot_be_asked_defers(agent, job, run, sink):
    here = job("staff@here.test")
    assert said(await run(agent(alias_maps="fail:x"), here)) == [("4.3.0", "alias database unavailable")]
    assert "fail:x" in sink.lines[0]


async def test_a_large_content_goes_to_a_file_of_its_own(agent, job, run, pieces, spools):
    here = job("staff@here.test", content=pieces(b"Subject: x\r\n\r\n", b"y" * 1000 + b"\r\n"))
    assert said(await run(agent(), here))[0][0] == "2.0.0"
    assert spools[0].data.endswith(b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n")
    assert here.new_messages[0].content.data == spools[0].data


async def test_a_full_disk_defers_and_forwards_nothing(agent, job, run, pieces, spools):
    here = job("staff@here.test", content=pieces(b"Subject: x\r\n\r\n"))
    assert said(await run(agent(broken=True), here)) == [("4.3.0", "queue file write error")]
    assert here.new_messages == []
    assert spools[0].aborted


async def test_a_defect_defers_all_and_forwards_nothing(agent, job, run, sink):
    async def expand(sender, recipients):
        raise RuntimeError("broken")

    here = job("staff@here.test", "nobody@here.test")
    assert said(await run(agent(expand=expand), here)) == [("4.3.0", "mail system error")] * 2
    assert here.new_messages == []
    assert "RuntimeError" in sink.lines[0]


async def test_one_that_fails_does_not_take_the_others_along(agent, job, run):
    here = job("staff@here.test", "cmd@here.test", "list@here.test")
    assert [status for status, _ in said(await run(agent(), here))] == ["2.0.0", "4.3.0", "2.0.0"]
    assert len(here.new_messages) == 2
    await agent().close()


def test_the_system_s_users_are_known():
    assert system_user("root")
    assert not system_user("no-such-user")
    assert not system_user("nul\0")
