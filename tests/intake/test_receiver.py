import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

WRITE_ERROR = "451 4.3.0 Error: queue file write error"
HEADER = b"Subject: x\r\nMessage-Id: <1@x>\r\n"


def cut(content, places):
    at = sorted({p % (len(content) + 1) for p in places})
    return [content[i:j] for i, j in zip([0, *at], [*at, len(content)], strict=True)]


LINES = st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"))


@settings(max_examples=60, suppress_health_check=SHARED)
@given(LINES, st.lists(st.integers(0, 5000), max_size=6), st.sampled_from(["1", "40", "256k"]))
def test_bytes_behind_the_header_are_unchanged_however_they_are_cut(bench, lines, places, limit):
    body = b"\r\n" + b"".join(lines)
    b = bench(queue_inline_limit=limit)
    b.send(b"", pieces=cut(HEADER + body, places))
    assert b.content.endswith(b"(UTC)\r\n" + HEADER + body)


@settings(max_examples=60, suppress_health_check=SHARED)
@given(LINES, st.lists(st.integers(0, 5000), max_size=6), st.sampled_from(["1", "256k"]))
def test_whatever_comes_as_content_the_cutting_never_matters(bench, lines, places, limit):
    content = b"".join(lines)
    one, many = bench(), bench(queue_inline_limit=limit)
    one.send(content, pieces=[content])
    many.send(content, pieces=cut(content, places))
    assert one.content == many.content


@settings(max_examples=40, suppress_health_check=SHARED)
@given(LINES)
def test_a_local_clients_body_is_unchanged_as_well(bench, lines):
    body = b"\r\n" + b"".join(lines)
    b = bench()
    b.send(b"From: al\r\nX: y\r\n" + body, address="127.0.0.1")
    assert b.content.endswith(body)
    assert b.header.startswith("From: al@mx.example.test\r\nX: y\r\nMessage-Id: <")


def test_a_large_message_goes_to_the_spool_and_little_is_kept(bench):
    b = bench(queue_inline_limit="1000")
    session = b.session()
    receiver = b.intake.open(session)
    receiver.feed(HEADER + b"\r\n")
    for _ in range(100):
        receiver.feed(b"x" * 98 + b"\r\n")
    assert len(b.store.spools[0].data) > 9000
    assert receiver._pieces == []
    replies = []
    receiver.commit(replies.append)
    assert replies[0].code == 250
    assert b.content.endswith(HEADER + b"\r\n" + (b"x" * 98 + b"\r\n") * 100)


def test_a_large_messages_eight_bit_bytes_are_noticed_in_any_piece(bench):
    for piece, expected in ((b"x\xffx\r\n", True), (b"xxx\r\n", False)):
        b = bench(queue_inline_limit="10")
        b.send(b"", pieces=[HEADER + b"\r\n", b"abc\r\n", piece, b"abc\r\n"])
        assert b.message.eight_bit is expected


def test_a_missing_last_line_end_is_added_to_a_large_message(bench):
    b = bench(queue_inline_limit="10")
    b.send(b"", pieces=[HEADER + b"\r\n", b"abc", b"\r", b"\n", b"d"])
    assert b.content.endswith(b"\r\n\r\nabc\r\nd\r\n")


def test_a_header_that_never_ends_is_refused(bench):
    b = bench(queue_inline_limit="1000")
    piece = b"X-Y: z\r\n" * 16384
    assert b.send(b"", pieces=[piece] * 12) == "552 5.3.4 Error: message header size exceeds fixed limit"
    assert b.store.spools == []
    b = bench(queue_inline_limit="100m")
    assert b.send(b"", pieces=[piece] * 12).startswith("552 5.3.4 ")


def test_a_full_disk_defers(bench):
    b = bench()
    b.store.full = True
    assert b.send(b"\r\nx\r\n") == WRITE_ERROR
    assert "write queue file: No space left on device" in b.sink.lines[-1]
    assert b.accepted == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_disk_that_fills_while_a_large_message_arrives_defers_and_cleans_up(bench, after):
    b = bench(queue_inline_limit="10")
    receiver = b.intake.open(b.session())
    for number in range(4):
        b.store.full = number >= after
        receiver.feed((HEADER + b"\r\n") if number == 0 else b"abc\r\n")
    replies = []
    receiver.commit(replies.append)
    assert [r.line() for r in replies] == [WRITE_ERROR]
    assert all(spool.aborted for spool in b.store.spools)
    assert b.store.messages == []


def test_an_aborted_message_leaves_nothing(bench):
    b = bench(queue_inline_limit="10")
    receiver = b.intake.open(b.session())
    receiver.feed(HEADER + b"\r\n")
    receiver.abort()
    receiver.feed(b"more\r\n")
    assert b.store.spools[0].aborted
    assert b.store.messages == []


def test_abort_after_commit_changes_nothing(bench):
    b = bench()
    b.store.late = True
    receiver = b.intake.open(b.session())
    replies = []
    receiver.feed(b"\r\nx\r\n")
    receiver.commit(replies.append)
    receiver.abort()
    b.store.sync()
    assert replies[0].code == 250
    assert len(b.accepted) == 1


def test_a_defect_never_becomes_an_acceptance(bench):
    b = bench()
    b.store.accept = lambda message, then: 1 // 0
    assert b.send(b"\r\nx\r\n") == WRITE_ERROR


def test_characters_are_stripped_or_refused_as_configured(bench):
    b = bench(message_strip_characters=r"\0\001")
    b.send(b"Sub\0ject: x\r\n\r\na\0b\1c\r\n")
    assert b.content.endswith(b"Subject: x\r\n\r\nabc\r\n")
    b = bench(message_reject_characters=r"\0")
    assert b.send(b"A: b\r\n\r\na\0b\r\n") == "550 5.7.1 disallowed character"
    assert b.sink.lines[-1].endswith(
        "reject: content from unknown[192.0.2.10]; from=<a@example.net> to=<alice@example.test>"
        " proto=ESMTP helo=<c.example.net>: 5.7.1 disallowed character"
    )
    for limit in ("1", "256k"):
        b = bench(message_reject_characters=r"\0", queue_inline_limit=limit)
        assert b.send(b"", pieces=[b"A: b\r\n\r\n", b"a\0b\r\n"]).startswith("550 5.7.1")
    b = bench(message_reject_characters=r"\0", receive_override_options="no_header_body_checks")
    assert b.send(b"A: b\r\n\r\na\0b\r\n").startswith("250")


class SlowTable:
    """Answers when it is told to."""

    name = "slow:x"

    def __init__(self, loop):
        self.answer = loop.create_future()

    async def lookup(self, key):
        return await self.answer


@pytest.mark.parametrize("limit", ["10", "256k"])
async def test_a_slow_table_holds_the_message_back_but_loses_nothing(bench, limit, monkeypatch):
    import asyncio

    table = SlowTable(asyncio.get_running_loop())
    from postroad.tables import maps

    monkeypatch.setattr(maps, "open_table", lambda spec, context, aliases=False: table)
    b = bench(queue_inline_limit=limit, virtual_alias_maps="slow:x", local_header_rewrite_clients="")
    receiver = b.intake.open(b.session("al@example.test"))
    replies = []
    receiver.feed(HEADER + b"\r\none\r\n")
    receiver.feed(b"two\r\n")
    receiver.commit(replies.append)
    assert replies == []
    table.answer.set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert replies[0].code == 250
    assert b.content.endswith(HEADER + b"\r\none\r\ntwo\r\n")


async def test_a_slow_tables_failure_defers(bench, monkeypatch):
    import asyncio

    from postroad.base.errors import TableUnavailable
    from postroad.tables import maps

    table = SlowTable(asyncio.get_running_loop())
    monkeypatch.setattr(maps, "open_table", lambda spec, context, aliases=False: table)
    b = bench(virtual_alias_maps="slow:x", local_header_rewrite_clients="")
    assert b.send(b"\r\nx\r\n") is None
    table.answer.set_exception(TableUnavailable("gone"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert b.replies[0].line() == WRITE_ERROR


async def test_an_abort_while_a_table_is_asked_leaves_nothing(bench, monkeypatch):
    import asyncio

    from postroad.tables import maps

    table = SlowTable(asyncio.get_running_loop())
    monkeypatch.setattr(maps, "open_table", lambda spec, context, aliases=False: table)
    b = bench(queue_inline_limit="10", virtual_alias_maps="slow:x", local_header_rewrite_clients="")
    receiver = b.intake.open(b.session())
    receiver.feed(HEADER + b"\r\n")
    receiver.abort()
    table.answer.set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert b.store.spools == []
    assert b.store.messages == []
