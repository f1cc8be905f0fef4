"""virtual(8): whose mailbox is where, and what is said when that cannot be known."""

from __future__ import annotations

import asyncio

import pytest

from postroad.delivery.mailbox.direct import DirectWriter, Writers
from postroad.delivery.mailbox.request import Locking, Result
from postroad.delivery.mailbox.virtual import VirtualAgent, base_of
from postroad.model.message import Recipient
from postroad.model.outcome import Fate

TEXTS = {
    "virtual_mailbox_base": "/var/mail/",
    "virtual_mailbox_maps": "inline:{ bob@box.test=box/bob/, old@box.test=old, @all.test=all/ }",
    "virtual_uid_maps": "inline:{ bob@box.test=5000, old@box.test=5001, @all.test=99 }",
    "virtual_gid_maps": "static:6000",
    "recipient_delimiter": "+",
}


@pytest.fixture
def agent(settings, writer, context, log, clock):
    def make(**texts):
        return VirtualAgent(
            settings(**TEXTS | texts),
            transport="virtual",
            writer=writer,
            tables=context,
            log=log,
            clock=clock,
        )

    return make


async def test_a_recipient_s_mailbox_is_below_the_base_with_its_owner(agent, job, run, writer):
    outcomes = await run(agent(), job(Recipient("Bob@box.test", "info@box.test")))
    assert [(o.status, o.text, o.relay) for o in outcomes] == [("2.0.0", "delivered to maildir", "virtual")]
    (made,) = writer.asked
    assert (made.base, made.path, made.uid, made.gid) == (b"/var/mail", b"box/bob/", 5000, 6000)
    assert made.head == (
        b"Return-Path: <a@example.net>\nX-Original-To: info@box.test\nDelivered-To: Bob@box.test\n"
    )
    assert (made.limit, made.host, made.from_line) == (51200000, "mx.here.test", b"")


async def test_an_extension_is_left_out_of_the_look_up(agent, job, run, writer):
    await run(agent(), job("bob+tag@box.test"))
    assert (writer.asked[0].path, writer.asked[0].uid) == (b"box/bob/", 5000)


async def test_an_mbox_has_a_from_line_and_its_locks(agent, job, run, writer):
    await run(agent(virtual_mailbox_lock="dotlock", deliver_lock_attempts="3"), job("old@box.test"))
    (made,) = writer.asked
    assert made.from_line.startswith(b"From a@example.net  ")
    assert made.locking == Locking(("dotlock",), 3, 1, 500)


async def test_the_original_recipient_may_be_left_out(agent, job, run, writer):
    await run(agent(enable_original_recipient="no"), job(Recipient("bob@box.test", "info@box.test")))
    assert b"X-Original-To" not in writer.asked[0].head


@pytest.mark.parametrize(
    "uids", ["static:5000", "static:5000, inline:{bob@box.test=1}", "inline:{bob@box.test=5000}"]
)
async def test_an_owner_that_is_fixed_is_the_same_as_one_that_is_looked_up(agent, job, run, writer, uids):
    await run(agent(virtual_uid_maps=uids, virtual_gid_maps="static:6000"), job("bob@box.test"))
    assert (writer.asked[0].uid, writer.asked[0].gid) == (5000, 6000)


async def test_an_unknown_user_bounces(agent, job, run, writer):
    (outcome,) = await run(agent(), job("Nobody@box.test"))
    assert (outcome.status, outcome.text) == ("5.1.1", 'unknown user: "nobody@box.test"')
    assert writer.asked == []


@pytest.mark.parametrize(
    ("texts", "address", "warning"),
    [
        ({"virtual_uid_maps": ""}, "bob@box.test", "recipient bob@box.test: not found in virtual_uid_maps"),
        ({"virtual_gid_maps": ""}, "bob@box.test", "recipient bob@box.test: not found in virtual_gid_maps"),
        ({}, "x@all.test", "recipient x@all.test: bad uid 99 in virtual_uid_maps"),
        (
            {"virtual_uid_maps": "static:root"},
            "bob@box.test",
            "recipient bob@box.test: bad uid root in virtual_uid_maps",
        ),
        (
            {"virtual_uid_maps": "static:99999999999"},
            "bob@box.test",
            "recipient bob@box.test: bad uid 99999999999 in virtual_uid_maps",
        ),
        (
            {"virtual_gid_maps": "static:0"},
            "bob@box.test",
            "recipient bob@box.test: bad gid 0 in virtual_gid_maps",
        ),
        (
            {"virtual_mailbox_base": "mail"},
            "bob@box.test",
            "do not specify relative pathname: virtual_mailbox_base = mail",
        ),
        (
            {"virtual_mailbox_base": ""},
            "bob@box.test",
            "do not specify relative pathname: virtual_mailbox_base = ",
        ),
    ],
)
async def test_what_is_not_configured_defers_and_is_logged(
    agent, job, run, writer, sink, texts, address, warning
):
    (outcome,) = await run(agent(**texts), job(address))
    assert (outcome.status, outcome.text) == ("4.3.5", "mail system configuration error")
    assert sink.lines == [f"virtual: warning: {warning}"]
    assert writer.asked == []


@pytest.mark.parametrize("name", ["virtual_mailbox_maps", "virtual_uid_maps", "virtual_gid_maps"])
async def test_a_table_that_cannot_be_asked_defers_and_never_bounces(agent, job, run, writer, sink, name):
    (outcome,) = await run(agent(**{name: "fail:broken"}), job("bob@box.test"))
    assert outcome.fate is Fate.DEFERRED
    assert "lookup bob@box.test" in sink.lines[0]
    assert writer.asked == []


async def test_a_table_that_cannot_be_opened_does_not_start(agent):
    with pytest.raises(ValueError, match="unsupported dictionary type"):
        agent(virtual_mailbox_maps="nothing:x")


async def test_each_recipient_has_its_own_outcome_and_the_job_is_reported_once(agent, job, writer, clock):
    writer.waits = True
    here, reported = job("bob@box.test", "nobody@box.test", "old@box.test"), []
    agent().deliver(here, reported.append)
    assert reported == []
    clock.advance(2.5)
    writer.waiting[1](Result("4.2.0", "delivery failed to mailbox x: y", ("careful",)))
    writer.waiting[0](Result("2.0.0", "delivered to maildir"))
    assert reported == [here]
    assert [o.status for o in here.outcomes] == ["2.0.0", "5.1.1", "4.2.0"]
    assert here.outcomes[0].transfer == 2.5


async def test_warnings_of_a_delivery_are_logged(agent, job, run, writer, sink):
    writer.result = Result("4.2.0", "maildir delivery failed: x", ("one", "two"))
    await run(agent(), job("bob@box.test"))
    assert sink.lines == ["virtual: warning: one", "virtual: warning: two"]


async def test_closing_leaves_the_writer_to_the_agent_of_the_next_settings(agent, writer):
    await agent().close()
    assert not writer.closed


def test_the_base_has_one_form(settings):
    assert base_of(settings(virtual_mailbox_base="/var/mail//")) == b"/var/mail"
    assert base_of(settings(virtual_mailbox_base="/")) == b"/"
    assert base_of(settings()) == b""


async def test_with_a_real_writer_the_message_is_there(
    agent, settings, context, log, job, run, base, clock, monkeypatch
):
    import os

    monkeypatch.setattr(os, "geteuid", lambda: 5000)
    monkeypatch.setattr(os, "getegid", lambda: 6000)
    writer = Writers(DirectWriter(clock))
    made = VirtualAgent(
        settings(**TEXTS | {"virtual_mailbox_base": str(base)}),
        transport="virtual",
        writer=writer,
        tables=context,
        log=log,
        clock=clock,
    )
    outcomes = await asyncio.wait_for(run(made, job("bob@box.test", "old@box.test")), 30)
    assert outcomes[0].text == "delivered to maildir"
    (file,) = (base / "box/bob/new").iterdir()
    assert file.read_text().endswith("Subject: x\n\nhello\n")
    await made.close()
