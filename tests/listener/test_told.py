"""What clients are told."""

from __future__ import annotations

import pytest

from listener.screens import World
from postroad.model.reply import Reply


async def test_soft_bounces(tmp_path):
    world = World(tmp_path, others={"soft_bounce": "yes"})
    assert world.service.told.footed(Reply(550, "5.5.1", "x"), "192.0.2.9", 4000).line() == "450 4.5.1 x"
    assert world.service.told.footed(Reply(500, "", "x"), "192.0.2.9", 4000).line() == "400 x"


async def test_a_name_without_a_reply_map_is_told_as_it_is(tmp_path):
    assert await World(tmp_path).service.told.name_of("bl.test") == "bl.test"
    hidden = World(tmp_path, dnsbl_reply_map="inline:{bl.test=other.test}").service.told
    assert await hidden.name_of("bl.test") == "other.test"
    assert await hidden.name_of("x.test") == "x.test"


async def test_a_footer_stands_behind_refusals_alone(tmp_path):
    def footer(reply, address, port):
        return Reply(reply.code, reply.status, f"{reply.text} to {address}:{port}")

    told = World(tmp_path, footer=footer).service.told
    assert told.footed(Reply(550, "5.5.1", "No"), "192.0.2.9", 4000).text == "No to 192.0.2.9:4000"
    assert told.footed(Reply(250, "2.0.0", "Ok"), "192.0.2.9", 4000).text == "Ok"


@pytest.mark.parametrize("table", ["fail:down", "static:nonsense"])
async def test_keywords_that_are_not_known_leave_those_of_all(tmp_path, table):
    maps = {"discard_ehlo_keywords": "etrn", "discard_ehlo_keyword_address_maps": table}
    world = World(tmp_path, **maps)
    assert await world.service.told.hidden_from("192.0.2.9") == {"etrn"}
    assert "postscreen_discard_ehlo_keyword_address_maps: 192.0.2.9: " in world.log()[0]


async def test_keywords_are_kept_from_a_client(tmp_path):
    maps = {"discard_ehlo_keyword_address_maps": "inline:{192.0.2.9=dsn}"}
    told = World(tmp_path, **maps).service.told
    assert await told.hidden_from("192.0.2.9") == {"dsn"}
    assert await told.hidden_from("192.0.2.10") == frozenset()


async def test_a_name_is_kept_back_while_it_is_not_known_what_may_be_told(tmp_path):
    world = World(tmp_path, dnsbl_reply_map="fail:down")
    assert await world.service.told.name_of("bl.test") == ""
    assert "warning: postscreen_dnsbl_reply_map: " in world.log()[0]
