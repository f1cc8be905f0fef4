"""transport_maps."""

from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.routing.router import extensions_of
from postroad.routing.transports import TransportTable, overridden

TABLE = (
    "inline:{ {direct.example=smtp:[127.0.0.1]:2602}, {.direct.example=smtp:[127.0.0.1]:2603},"
    " {user@direct.example=lmtp:unix:x}, {ext@ext.example=x:y}, {ext+tag@ext.example=tagged:} }"
)


@pytest.fixture
def apply(make):
    async def apply(recipient, table=TABLE, **texts):
        made = make(transport_maps=table, recipient_delimiter="+", **texts)
        transports = TransportTable(made.settings, made.context, extensions_of(made.settings))
        return await transports.apply(recipient, recipient.rpartition("@")[2], "old", "hop")

    return apply


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("x@direct.example", ("smtp", "[127.0.0.1]:2602")),
        ("x@sub.direct.example", ("smtp", "[127.0.0.1]:2603")),
        ("x@a.sub.direct.example", ("smtp", "[127.0.0.1]:2603")),
        ("user@direct.example", ("lmtp", "unix:x")),
        ("user+e@direct.example", ("lmtp", "unix:x")),
        ("User@Direct.Example", ("lmtp", "unix:x")),
        ("ext+tag@ext.example", ("tagged", "ext.example")),
        ("ext+other@ext.example", ("x", "y")),
        ("x@any.example", ("old", "hop")),
    ],
)
async def test_the_closest_key_counts(apply, recipient, expected):
    assert await apply(recipient) == expected


async def test_parents_are_found_without_a_dot_on_demand(apply):
    table = "inline:{ {direct.example=new:} }"
    assert await apply("x@sub.direct.example", table) == ("old", "hop")
    assert (await apply("x@sub.direct.example", table, parent_domain_matches_subdomains="transport_maps"))[
        0
    ] == "new"


async def test_a_star_stands_for_everything_else(apply):
    table = "inline:{ {*=star:}, {a.example=:} }"
    assert await apply("x@any.example", table) == ("star", "any.example")
    assert await apply("x@a.example", table) == ("old", "hop")


async def test_patterns_see_whole_addresses_only(apply, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("/^any/ never:\n/^x@/ pattern:\n")
    assert await apply("y@any.example", f"regexp:{rules}") == ("old", "hop")
    assert await apply("x@any.example", f"regexp:{rules}") == ("pattern", "any.example")


async def test_a_table_that_fails_is_no_answer(apply):
    with pytest.raises(TableUnavailable):
        await apply("x@any.example", "fail:x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smtp:[h]:25", ("smtp", "[h]:25")),
        ("smtp:", ("smtp", "d.example")),
        ("smtp", ("smtp", "d.example")),
        (":[h]", ("old", "[h]")),
        (":", ("old", "hop")),
        ("error:", ("error", "Address is undeliverable")),
        ("error:5.7.1 no", ("error", "5.7.1 no")),
        ("retry:4.2.0 later", ("retry", "4.2.0 later")),
    ],
)
def test_what_is_left_out_of_a_value_is_kept_or_reset(value, expected):
    assert overridden(value, "d.example", "old", "hop") == expected


def test_no_table_is_falsy(make):
    made = make()
    assert not TransportTable(made.settings, made.context, extensions_of(made.settings))
