"""What is kept of a refusal, by sessions on a wire."""

import pytest

from postroad.model.explain import Trail
from postroad.model.reply import Reply

from .conftest import Peer

BAD = Reply(554, "5.7.1", "no")


@pytest.fixture
def kept(stand):
    noted = []
    stand.make().note_refusal = noted.append
    return noted


@pytest.fixture
def talk(stand, kept):
    """Return a function that says some commands in one session."""

    async def say(*commands):
        peer = await Peer.connect(await stand.serve())
        assert (await peer.reply()).startswith("220")
        await peer.ask(*commands)
        await peer.close()

    return say


async def test_a_refusal_is_kept_with_who_what_and_why(stand, kept, talk):
    trail = Trail((("smtpd_recipient_restrictions", 2, "reject"),), "hash:x", "b@here.test", "REJECT")

    async def recipient(session, address):
        session.why = lambda: (trail, None)
        return BAD

    stand.policy.recipient = recipient
    await talk("EHLO c.example.test", "MAIL FROM:<a@x.test>", "RCPT TO:<b@here.test>")
    (record,) = kept
    assert (record.command, record.service, record.queue_id) == ("RCPT", "smtp", "NOQUEUE")
    assert (record.client_address, record.helo) == ("127.0.0.1", "c.example.test")
    assert (record.sender, record.recipient) == ("a@x.test", "b@here.test")
    assert (record.reply, record.trail, record.behind) == ("554 5.7.1 no", trail, None)
    assert record.time == stand.clock.now()


async def test_what_no_restriction_refused_has_no_trail(stand, kept, talk):
    stand.policy.replies["mail"] = BAD
    await talk("EHLO c.example.test", "MAIL FROM:<a@x.test>")
    assert [(each.command, each.trail, each.recipient) for each in kept] == [("MAIL", None, "")]


async def test_an_earlier_reason_is_not_given_again(stand, kept, talk):
    trail = Trail((("smtpd_helo_restrictions", 1, "reject"),))

    async def helo(session):
        session.why = lambda: (trail, None)
        return BAD

    stand.policy.helo = helo
    stand.policy.replies["mail"] = BAD
    await talk("EHLO c.example.test", "MAIL FROM:<a@x.test>")
    assert [each.trail for each in kept] == [trail, None]


async def test_what_is_accepted_is_not_kept(stand, kept, talk):
    await talk("EHLO c.example.test", "MAIL FROM:<>", "RCPT TO:<b@here.test>", "RSET")
    assert kept == []
