"""check_python: what a function is told, and that nothing but its verdict counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.model.tls import TlsFacts
from postroad.policy.names import TAKERS

HOOKS = """
import asyncio, sys, threading
from postroad.hooks import *

seen = []
async def note(facts):
    seen.append(facts)
    return Continue()
async def waits(facts):
    await asyncio.sleep(0)
    return Reject("no")
def blocks(facts):
    return Reject(threading.current_thread().name)
async def permits(facts): return Permit()
async def accepts(facts): return Accept()
async def rejects(facts): return Reject("no", 550, "5.7.9")
async def plain(facts): return Reject()
async def defers(facts): return Defer("later")
async def action(facts): return "PREPEND X-Seen: yes"
async def rejects_by_action(facts): return "550 5.7.2 no"
async def raises(facts): raise KeyError(facts.sender)
def raises_in_thread(facts): raise KeyError(facts.sender)
async def ends(facts): sys.exit(1)
def ends_in_thread(facts): sys.exit(1)
async def interrupts(facts): raise KeyboardInterrupt
async def cancels(facts): raise asyncio.CancelledError
async def forgets(facts): pass
async def says_yes(facts): return True
async def bad_code(facts): return Reject("x", 250)
def not_awaited(facts): return note(facts)
async def never(facts): await asyncio.sleep(3600)
async def stubborn(facts):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if facts.helo == "end":
                raise
            await asyncio.sleep(0.05)
            return Permit()
class Holder:
    async def __call__(self, facts): return Reject("held")
held = Holder()
async def changes(facts): facts.sender = "x"
"""
FAILED = "451 4.3.5 <u@here.test>: Recipient address rejected: Server configuration problem"


@pytest.fixture
def ask_hook(services, ask, tmp_path):
    """Return a function that asks a hook of HOOKS."""
    (tmp_path / "hooks.py").write_text(HOOKS)

    async def answer(name: str, who=None, limit: float = 30, **rest):
        made = services()
        made.tables.config_directory = str(tmp_path)
        check = TAKERS["check_python"](made, "check_python", f"hooks:{name}", "")
        check.__self__._limit = limit
        return await ask(check, who, **rest)

    return answer


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("waits", "554 5.7.1 <u@here.test>: Recipient address rejected: no"),
        ("rejects", "550 5.7.9 <u@here.test>: Recipient address rejected: no"),
        ("plain", "554 5.7.1 <u@here.test>: Recipient address rejected: Access denied"),
        ("defers", "450 4.7.1 <u@here.test>: Recipient address rejected: later"),
        ("rejects_by_action", "550 5.7.2 <u@here.test>: Recipient address rejected: no"),
        ("held", "554 5.7.1 <u@here.test>: Recipient address rejected: held"),
    ],
)
async def test_a_refusal_is_said_as_other_restrictions_say_it(ask_hook, name, line):
    assert await ask_hook(name) == line


async def test_the_list_goes_on_or_ends(ask_hook):
    assert await ask_hook("note") is None
    assert (await ask_hook("permits")).name == (await ask_hook("accepts")).name == "PERMIT"


async def test_a_string_is_an_action(ask_hook, session):
    assert await ask_hook("action") is None
    assert session.transaction.actions == {"PREPEND": "X-Seen: yes"}


async def test_a_function_that_may_block_runs_in_a_thread(ask_hook):
    assert "rejected: hook_" in await ask_hook("blocks")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raises", r"KeyError: 'a@example.net' ("),
        ("raises_in_thread", r"KeyError: 'a@example.net' ("),
        ("ends", "SystemExit: 1"),
        ("ends_in_thread", "SystemExit: 1"),
        ("interrupts", "KeyboardInterrupt:"),
        ("cancels", "it was cancelled"),
        ("forgets", "the verdict is of type NoneType"),
        ("says_yes", "the verdict is of type bool"),
        ("bad_code", "ValueError: the code 250 is not between 500 and 599"),
        ("not_awaited", "the verdict is of type coroutine"),
        ("changes", "FrozenInstanceError: cannot assign to field 'sender'"),
    ],
)
async def test_what_a_function_does_wrong_is_451_and_logged(ask_hook, sink, name, why):
    assert await ask_hook(name) == FAILED
    assert sink.lines[0].startswith(f"smtpd: warning: check_python hooks:{name}: {why}")


@pytest.mark.parametrize("name", ["never", "stubborn"])
async def test_a_function_that_does_not_end_is_not_waited_for(ask_hook, sink, session, name):
    session.helo = "end"
    assert await ask_hook(name, limit=0.02) == FAILED
    assert sink.lines == [f"smtpd: warning: check_python hooks:{name}: no verdict in 0.02s"]


async def test_a_verdict_that_comes_too_late_counts_for_nothing(ask_hook):
    assert await ask_hook("stubborn", limit=0.02) == FAILED


async def test_what_a_function_is_told(ask_hook, session, recipient, tmp_path):
    session.client.port, session.client.server_address = 4711, "203.0.113.25"
    session.sasl_username, session.sasl_method = "alice", "PLAIN"
    session.tls_facts = TlsFacts("TLSv1.3", "X", 256, 256)
    session.transaction.recipients = [recipient("canonical@here.test", "first@here.test")]
    session.transaction.size, session.transaction.queue_key = 99, 0xABC
    await ask_hook("note")
    from postroad.policy.hook_module import find_hook

    (facts,) = find_hook("hooks:note", str(tmp_path)).__globals__["seen"]
    assert (facts.stage, facts.protocol, facts.helo) == ("RCPT", "ESMTP", "x")
    assert (facts.client.address, facts.client.port, facts.client.name) == ("192.0.2.10", 4711, "unknown")
    assert (facts.client.server_address, facts.client.server_port) == ("203.0.113.25", 25)
    assert (facts.sender, facts.recipient, facts.recipients) == (
        "a@example.net",
        "u@here.test",
        ("first@here.test",),
    )
    assert (facts.size, facts.queue_id, facts.login.username) == (99, "000000000000ABC", "alice")
    assert facts.tls.protocol == "TLSv1.3"


async def test_without_a_function_the_client_is_told_that_the_configuration_is_wrong(world, say):
    here = world(smtpd_recipient_restrictions="check_python nothing")
    assert await say(here, "u@here.test") == "451 4.3.5 Server configuration error"


def test_a_function_that_is_not_there_does_not_start(world):
    with pytest.raises(ValueError, match="no module nothing"):
        world(smtpd_recipient_restrictions="check_python nothing:here")


async def test_the_example_does_what_it_says(services, ask, session, monkeypatch):
    made = services()
    made.tables.config_directory = str(Path(__file__).parents[2] / "examples")
    quota, invoices = (
        TAKERS["check_python"](made, "check_python", f"refuse_by_python:{name}", "")
        for name in ("quota", "invoices")
    )
    assert await ask(quota) is None
    monkeypatch.setitem(quota.__self__._function.__globals__, "PER_HOUR", 2)
    session.sasl_username = "alice"
    assert [await ask(quota) for _ in range(3)] == [
        None,
        None,
        "450 4.7.1 <u@here.test>: Recipient address rejected: You have sent a lot in this hour",
    ]
    assert await ask(invoices) is None
    refused = await ask(invoices, recipient="invoice@here.test")
    assert refused == "550 5.7.1 <invoice@here.test>: Recipient address rejected: Send invoices over TLS"
    session.transaction.sender = ""
    assert await ask(invoices) is None
    assert session.transaction.actions == {"PREPEND": "X-Bounce: yes"}
    session.client.name = "mx.bank.example"
    assert (await ask(invoices, recipient="invoice@here.test")).name == "PERMIT"
