import pytest

from postroad.base.errors import StoreUnavailable
from postroad.model.filters import AddRecipient, ChangeSender, DeleteRecipient, FilterOutcome
from postroad.model.message import NEVER
from postroad.model.reply import Reply

HEADER = b"Subject: x\r\nMessage-Id: <1@x>\r\n"
CONTENT = HEADER + b"\r\nbody\r\n.\r\n"


class Filters:
    """Says one outcome; keeps what it was shown."""

    def __init__(self, outcome, error=None):
        self.outcome, self.error, self.shown = outcome, error, []

    async def message(self, header, body):
        self.shown.append((header, b"".join(body())))
        if self.error is not None:
            raise self.error
        return self.outcome(header) if callable(self.outcome) else self.outcome


def send(b, outcome, content=CONTENT, *recipients, error=None, **more):
    filters = Filters(outcome, error)
    b.session_sent = session = b.session(*recipients, **more)
    receiver = b.intake.open(session)
    receiver.feed(content)
    replies = []
    receiver.commit(replies.append, filters.message)
    return replies[0].line(), filters


@pytest.fixture(params=["256k", "10"], ids=["in memory", "a file"])
def b(bench, request):
    return bench(queue_inline_limit=request.param, virtual_alias_maps="inline:{list@x=one@x}")


def aborted(b):
    return [spool.aborted for spool in b.store.spools]


def test_filters_see_what_would_be_queued(b):
    reply, filters = send(b, FilterOutcome())
    assert reply.startswith("250 2.0.0 Ok: queued as ")
    ((header, body),) = filters.shown
    assert header.startswith(b"Received: ")
    assert header.endswith(HEADER)
    assert body == b"body\r\n.\r\n"
    assert b.content == header + b"\r\n" + body
    assert not any(aborted(b))


def test_header_and_body_are_replaced(b):
    reply, filters = send(b, lambda header: FilterOutcome(header=b"DKIM: s\r\n" + header))
    assert reply.startswith("250")
    assert b.content == b"DKIM: s\r\n" + filters.shown[0][0] + b"\r\nbody\r\n.\r\n"
    assert not b.message.eight_bit
    send(b, FilterOutcome(body=(b"new \xe4\r\n", b".\r\n")))
    assert b.content.endswith(HEADER + b"\r\nnew \xe4\r\n.\r\n")
    assert b.message.eight_bit
    if b.store.spools:
        assert aborted(b) == [True, False, True, False]


def test_what_grows_over_the_limit_becomes_a_file(bench):
    b = bench(queue_inline_limit="2000")
    send(b, FilterOutcome(body=(b"x" * 3000 + b"\r\n",)))
    assert len(b.store.spools) == 1
    assert b.content.endswith(b"x\r\n")


def test_a_refusal_queues_nothing(b):
    outcome = FilterOutcome(Reply(554, "5.7.1", "no"), header=b"X: y\r\n", hold=True)
    assert send(b, outcome)[0] == "554 5.7.1 no"
    assert b.store.messages == []
    assert all(aborted(b))


def test_a_filter_that_fails_is_no_acceptance(b):
    assert send(b, None, error=ZeroDivisionError())[0] == "451 4.3.0 Error: queue file write error"
    assert b.store.messages == []
    assert all(aborted(b))


def test_discard_and_hold(b):
    assert send(b, FilterOutcome(discard=True))[0].startswith("250 2.0.0 Ok: queued as ")
    assert b.store.messages == []
    assert all(aborted(b))
    send(b, FilterOutcome(hold=True))
    assert b.message.held


def test_the_envelope(b):
    edits = (
        ChangeSender("new@example.net", "RET=HDRS ENVID=e SIZE=1"),
        DeleteRecipient("alice@example.test"),
        AddRecipient("list@x", "NOTIFY=NEVER X=1"),
        AddRecipient("bob@example.test"),
    )
    send(b, FilterOutcome(envelope=edits), CONTENT, "alice@example.test", "bob@example.test")
    assert b.envelope == ["new@example.net", "bob@example.test", "one@x"]
    assert (b.message.ret, b.message.envid) == ("HDRS", "e")
    added = b.message.recipients[1]
    assert (added.notify, added.original, added.orcpt) == (NEVER, "list@x", "rfc822;list@x")
    assert len([line for line in b.sink.lines if "gnoring" in line]) == 2


def test_a_message_that_nobody_is_to_get_is_discarded(b):
    outcome = FilterOutcome(envelope=(DeleteRecipient("alice@example.test"),))
    assert send(b, outcome)[0].startswith("250")
    assert b.store.messages == []


def test_a_disk_that_is_full_leaves_nothing(bench, monkeypatch):
    b = bench(queue_inline_limit="10")

    def full(header):
        b.store.full = True
        return FilterOutcome(header=b"X: y\r\n" + header)

    assert send(b, full)[0].startswith("451 4.3.0")
    assert b.store.messages == []
    assert all(aborted(b))
    assert isinstance(StoreUnavailable("x"), Exception)


def test_an_alias_table_that_cannot_be_asked_defers(bench):
    b = bench(virtual_alias_maps="regexp:{{/^alice/ alice@example.test}}, fail:x")
    outcome = FilterOutcome(envelope=(AddRecipient("bob@example.test"),))
    assert send(b, outcome)[0].startswith("451 4.3.0")
    assert b.store.messages == []
