"""What a client hears whom a list has."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.policy import query as q
from postroad.policy.dnslist import DnsList, Listing
from postroad.policy.dnslist_reply import ListReplies
from postroad.policy.query import Query


@pytest.fixture
def reply(services, session, sink):
    """Return a function that makes the reply about a client."""

    async def make(reason="", kind=q.CLIENT, listed="bl.test=127.0.0.2", **texts):
        query = Query(session, "RCPT", Log(sink), soft_bounce=False)
        query.recipient = "u@here.test"
        made = services(**texts)
        source = DnsList(listed, made.resolver, made.log)
        answer = await ListReplies(made).reply(query, source, Listing(reason), "192.0.2.10", kind)
        return answer.line()

    return make


async def test_the_default_names_what_is_listed_where_and_why(reply):
    head = "554 4.7.1 Service unavailable; Client host [192.0.2.10] blocked using bl.test"
    assert await reply() == head
    assert await reply("ask us") == f"{head}; ask us"
    assert (await reply(maps_rbl_reject_code="450"))[:3] == "450"


async def test_a_list_may_have_a_reply_of_its_own(reply):
    maps = "inline:{ {bl.test=127.0.0.2 = $$rbl_code 5.7.99 $$rbl_class $$rbl_what at $$rbl_domain} }"
    assert await reply(
        rbl_reply_maps=maps.replace("bl.test=127.0.0.2 =", "own.test ="), listed="own.test"
    ) == ("554 5.7.99 Client host 192.0.2.10 at own.test")
    assert "Service unavailable" in await reply(rbl_reply_maps="inline:{ {other.test = 554 no} }")


async def test_a_reply_may_tell_what_is_known_of_the_session(reply, session):
    template = (
        "550 $client $client_address $client_name $reverse_client_name $helo_name "
        "$sender $sender_name $sender_domain $recipient $recipient_name $recipient_domain"
    )
    assert await reply(default_rbl_reply=template) == (
        "550 4.7.1 unknown[192.0.2.10] 192.0.2.10 unknown unknown x "
        "a@example.net a example.net u@here.test u here.test"
    )
    session.transaction.sender = ""
    assert await reply(default_rbl_reply="550 $sender $sender_name.") == "550 4.7.1 <> <>."


async def test_what_strangers_say_is_text_and_no_template(reply):
    assert (await reply("$client ${x")).endswith("bl.test; $client ${x")
    assert (await reply("a\x01b\u2603c")).endswith("bl.test; a_b_c")
    assert await reply("abc", default_rbl_reply="550 $rbl_reason", smtpd_expansion_filter="ac\\40") == (
        "550 4.7.1 a_c"
    )


async def test_an_address_code_fits_what_is_refused(reply):
    for kind, status in ((q.SENDER, "4.1.7"), (q.RECIPIENT, "4.1.1"), (q.HELO, "4.0.0")):
        assert (await reply(kind=kind, default_rbl_reply="550 5.1.1 no")).split()[1] == status


@pytest.mark.parametrize("template", ["250 fine", "no code", "55 x", "$nothing", "550 ${rbl_what", ""])
async def test_a_template_that_is_none_refuses_for_now(reply, sink, template):
    assert await reply(default_rbl_reply=template) == "450 4.7.1 Service unavailable"
    assert any("rbl response code configuration error" in line for line in sink.lines)


async def test_a_bad_template_of_a_list_gives_way_to_the_default(reply, sink):
    assert "blocked using own.test" in await reply(
        rbl_reply_maps="inline:{ {own.test = 554 $$nothing} }", listed="own.test"
    )
    assert any("bad rbl reply template for domain own.test" in line for line in sink.lines)
