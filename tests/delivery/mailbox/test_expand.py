"""What a local name stands for."""

from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.delivery.mailbox.expand import CannotExpandError, Expander, Target
from postroad.delivery.mailbox.virtual import extensions_of
from postroad.model import params as model
from postroad.tables.maps import Maps
from postroad.tables.ours import OwnDomains

ALIASES = """
    {staff=alice, bob@far.test}, {nested=staff, carol@far.test}, {self=self, x@far.test},
    {ring=ring2}, {ring2=ring}, {list=m1@far.test, m2@far.test}, {owner-list=boss},
    {outer=list, direct@far.test}, {cmd=|/bin/x, y@far.test}, {file=/x}, {inc=:include:/x},
    {void=()}, {twice=staff, staff}, {local=staff@here.test}
"""


@pytest.fixture
def expander(settings, context):
    def make(**texts):
        made = settings(alias_maps=f"inline:{{ {ALIASES} }}", recipient_delimiter="+", **texts)
        return Expander(
            made,
            Maps(made[model.ALIAS_MAPS], context, aliases=True),
            OwnDomains(made, context),
            extensions_of(made),
        )

    return make


async def addresses(expander, address):
    targets = await expander.expand(address)
    return None if targets is None else [target.address for target in targets]


async def test_a_name_that_is_no_alias_stands_for_nothing(expander):
    assert await expander().expand("alice@here.test") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("staff", ["alice@here.test", "bob@far.test"]),
        ("STAFF", ["alice@here.test", "bob@far.test"]),
        ("nested", ["alice@here.test", "bob@far.test", "carol@far.test"]),
        ("local", ["alice@here.test", "bob@far.test"]),
        ("twice", ["alice@here.test", "bob@far.test"]),
    ],
)
async def test_aliases_are_followed_as_long_as_they_are_local(expander, name, expected):
    assert await addresses(expander(), f"{name}@here.test") == expected


async def test_an_extension_finds_the_plain_alias_and_goes_on_only_when_told_to(expander):
    assert await addresses(expander(), "staff+tag@here.test") == ["alice@here.test", "bob@far.test"]
    kept = expander(propagate_unmatched_extensions="alias")
    assert await addresses(kept, "staff+tag@here.test") == ["alice+tag@here.test", "bob+tag@far.test"]


async def test_an_owner_speaks_for_its_list_and_only_for_that(expander):
    assert await expander().expand("outer@here.test") == [
        Target("m1@far.test", "owner-list@here.test"),
        Target("m2@far.test", "owner-list@here.test"),
        Target("direct@far.test", ""),
    ]
    expanded = await expander(expand_owner_alias="yes").expand("list@here.test")
    assert {target.sender for target in expanded} == {"boss@here.test"}
    plain = await expander(owner_request_special="no").expand("list@here.test")
    assert {target.sender for target in plain} == {""}


async def test_a_ring_is_an_error(expander):
    with pytest.raises(CannotExpandError, match="alias database loop for ring") as raised:
        await expander().expand("ring@here.test")
    assert raised.value.status == "5.4.6"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cmd", "delivery to a command is not supported yet"),
        ("file", "delivery to a file is not supported yet"),
        ("inc", "delivery to a list in a file"),
        ("self", "mailboxes of system users are not delivered yet"),
        ("void", "alias database unavailable"),
    ],
)
async def test_what_cannot_be_delivered_defers_the_whole_alias(expander, name, words):
    with pytest.raises(CannotExpandError, match=words) as raised:
        await expander().expand(f"{name}@here.test")
    assert raised.value.status == "4.3.0"


async def test_many_lists_in_common_are_expanded_once(settings, context):
    rows = [f"{{a{n}=a{n + 1}, a{n + 1}}}" for n in range(60)]
    made = settings(alias_maps=f"inline:{{ {', '.join(rows)}, {{a60=end@far.test}} }}")
    specs = made[model.ALIAS_MAPS]
    expander = Expander(
        made, Maps(specs, context, aliases=True), OwnDomains(made, context), extensions_of(made)
    )
    assert await addresses(expander, "a0@here.test") == ["end@far.test"]


async def test_a_table_that_cannot_be_asked_is_not_taken_for_no_alias(settings, context):
    made = settings(alias_maps="fail:broken")
    specs = made[model.ALIAS_MAPS]
    expander = Expander(made, Maps(specs, context), OwnDomains(made, context), extensions_of(made))
    with pytest.raises(TableUnavailable):
        await expander.expand("x@here.test")


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("Bob@here.test", ("bob", "")),
        ("bob+Tag@here.test", ("bob+tag", "+tag")),
        ("bob+../x@here.test", ("bob", "")),
        ("+tag@here.test", ("+tag", "")),
        ("bob", ("bob", "")),
        ("@here.test", ("", "")),
    ],
)
def test_a_local_part_is_folded_and_split(expander, address, names):
    assert expander().names_of(address) == names
