"""Address classes."""

from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.model.route import AddressClass
from postroad.routing.classes import is_literal

LISTS = {
    "virtual_alias_domains": "alias.example, both.example",
    "virtual_mailbox_domains": "box.example both.example",
    "relay_domains": "relay.example",
}


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.test", AddressClass.LOCAL),
        ("EXAMPLE.Test", AddressClass.LOCAL),
        ("[192.0.2.2]", AddressClass.LOCAL),
        ("[198.51.100.1]", AddressClass.LOCAL),
        ("sub.example.test", AddressClass.DEFAULT),
        ("alias.example", AddressClass.VIRTUAL_ALIAS),
        ("Alias.Example", AddressClass.VIRTUAL_ALIAS),
        ("sub.alias.example", AddressClass.DEFAULT),
        ("box.example", AddressClass.VIRTUAL_MAILBOX),
        ("relay.example", AddressClass.RELAY),
        ("sub.relay.example", AddressClass.RELAY),
        ("both.example", AddressClass.VIRTUAL_ALIAS),
        ("any.example", AddressClass.DEFAULT),
    ],
)
async def test_a_domain_has_the_class_of_the_first_list_it_is_in(make, domain, expected):
    made = make(**LISTS)
    assert await made.router.address_class(domain) is expected


async def test_subdomains_of_relay_domains_can_be_left_out(make):
    made = make(**LISTS, parent_domain_matches_subdomains="")
    assert await made.router.address_class("sub.relay.example") is AddressClass.DEFAULT


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("virtual_alias_domains", "virtual_mailbox_domains"),
        ("virtual_alias_domains", "relay_domains"),
        ("virtual_mailbox_domains", "relay_domains"),
        ("mydestination", "virtual_alias_domains"),
        ("mydestination", "virtual_mailbox_domains"),
    ],
)
async def test_a_domain_in_two_classes_is_warned_of_once(make, first, second):
    made = make(**{first: "two.example", second: "two.example"})
    for _ in range(3):
        await made.router.address_class("two.example")
    warning = f"warning: do not list domain two.example in BOTH {first} and {second}"
    assert made.lines == [f"trivial-rewrite: {warning}"]


async def test_warnings_can_be_turned_off(make):
    made = make(**LISTS, helpful_warnings="no")
    await made.router.address_class("both.example")
    assert made.lines == []


@pytest.mark.parametrize("name", ["virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"])
async def test_a_list_that_cannot_be_looked_in_is_no_answer(make, name):
    with pytest.raises(TableUnavailable):
        await make(**{name: "fail:x"}).router.address_class("any.example")


@pytest.mark.parametrize(
    ("members", "literal"),
    [
        (("a.example", "!b.example", "[::1]"), True),
        (("/etc/file",), False),
        (("!/etc/file",), False),
        (("hash:/etc/x",), False),
        ((), True),
    ],
)
def test_a_list_without_tables_and_files_never_changes(members, literal):
    assert is_literal(members) is literal
