"""postscreen_access_list: commands and tables, in their order."""

from __future__ import annotations

import pytest

from postroad.app.registry import registry
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.listener.access_list import Access, AccessLists
from postroad.tables.context import TableContext

NETWORKS = "mynetworks = 192.0.2.0/24"


def lists(members, sink=None):
    settings = settings_of(
        registry().groups, postscreen_access_list=members, mynetworks="192.0.2.0/24", myhostname="mx.example"
    )
    return AccessLists(settings, TableContext(texts=settings.texts), Log(sink or ListSink(), pid=1))


@pytest.mark.parametrize(
    ("members", "address", "access"),
    [
        ("permit_mynetworks", "192.0.2.1", Access.PERMIT),
        ("permit_mynetworks", "198.51.100.1", Access.UNKNOWN),
        ("", "192.0.2.1", Access.UNKNOWN),
        ("PERMIT", "198.51.100.1", Access.PERMIT),
        ("reject", "198.51.100.1", Access.REJECT),
        ("dunno, permit", "198.51.100.1", Access.UNKNOWN),
        ("cidr:{{198.51.100.0/24 reject}}", "198.51.100.1", Access.REJECT),
        ("cidr:{{198.51.100.0/24 REJECT}}", "198.51.101.1", Access.UNKNOWN),
        ("cidr:{{2001:db8::/32 reject}}", "2001:db8::1", Access.REJECT),
        ("cidr:{{192.0.2.7 dunno}, {192.0.2.0/24 reject}}, permit_mynetworks", "192.0.2.7", Access.PERMIT),
        ("cidr:{{192.0.2.7 dunno}, {192.0.2.0/24 reject}}, permit_mynetworks", "192.0.2.8", Access.REJECT),
        ("cidr:{{0.0.0.0/0 permit_mynetworks, reject}}", "192.0.2.1", Access.PERMIT),
        ("cidr:{{0.0.0.0/0 permit_mynetworks, reject}}", "198.51.100.1", Access.REJECT),
    ],
)
async def test_the_first_that_fires_decides(members, address, access):
    assert await lists(members).find(address) is access


@pytest.mark.parametrize("members", ["fail:down, permit", "cidr:{{0.0.0.0/0 ok}}, permit"])
async def test_a_table_that_fails_or_says_nonsense_lets_nobody_through(members):
    sink = ListSink()
    assert await lists(members, sink).find("192.0.2.1") is Access.UNKNOWN
    assert sink.lines[0].startswith("postscreen: warning: postscreen_access_list: ")


def test_what_is_no_command_is_an_error():
    with pytest.raises(ValueError, match='unknown command "permit_all"'):
        lists("permit_all")
