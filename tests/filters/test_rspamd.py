"""Rspamd's milter, without rules: it knows the test message that every filter knows."""

import pytest

from filters.conftest import whole
from peers import services
from peers.harness import a_place, free_port
from peers.services import GTUBE
from postroad.model.reply import Reply

HEADER = b"Received: from x\r\nFrom: s@example.net\r\nTo: u@example.org\r\nSubject: x\r\nMessage-Id: <1@example.org>\r\n"


@pytest.fixture(scope="module")
def rspamd():
    with a_place() as place, services.rspamd(place, free_port(), marks=False) as running:
        yield f"inet:127.0.0.1:{running.port}"


async def test_two_messages_of_one_session(bench, rspamd):
    chain = await bench.chain(rspamd)
    assert (await whole(chain, HEADER, b"hello\r\n")).is_plain
    chain.session.transaction.recipients.clear()
    await chain.mail()
    await chain.recipient("u@example.org")
    await chain.data()
    outcome = await chain.message(HEADER, lambda: iter([b"hello\r\n", GTUBE]))
    assert outcome.reply == Reply(554, "5.7.1", "Gtube pattern")
    assert len(bench.lines) == 1
