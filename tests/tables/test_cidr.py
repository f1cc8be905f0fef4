import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tables.cidr import Cidr
from postroad.tables.context import TableContext
from postroad.tables.contract import check_table

RULES = """
# first match wins
198.51.100.7/32      OK
198.51.100.0/24      REJECT net work
2001:db8::/64        six
[2001:db8:1::]/48\tseven
if 192.0.2.0/24
192.0.2.64/26        inner
if !192.0.2.128/25
0.0.0.0/0            lower
endif
endif
!192.0.0.0/4         elsewhere
"""


def table(world, text=RULES):
    world.write("cidr", text)
    return Cidr("cidr:cidr", "cidr", world.context)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("198.51.100.7", "OK"),
        ("198.51.100.8", "REJECT net work"),
        ("2001:db8::7", "six"),
        ("2001:DB8:1::7", "seven"),
        ("2001:db8:2::7", None),
        ("192.0.2.65", "inner"),
        ("192.0.2.1", "lower"),
        ("192.0.2.129", None),
        ("10.0.0.1", "elsewhere"),
        ("193.0.0.1", None),
        ("unknown", None),
        ("", None),
        ("10.0.0", None),
    ],
)
def test_the_first_rule_that_holds_the_address_counts(world, key, value):
    assert table(world).get(key) == value


async def test_it_keeps_the_contract_of_tables(world):
    await check_table(table(world, "10.0.0.0/8 x\n"), "10.0.0.1", "x", "11.0.0.1")


def test_rules_that_cannot_be_used_are_warned_of_and_left_out(world):
    made = table(world, "10.0.0.0/33 x\nfoo z\n10.0.0.0/8\nendif\nif 11.0.0.0/8\n11.1.0.0/16 ok $1\n")
    assert made.get("11.1.2.3") == "ok $1"
    assert made.get("10.0.0.1") is None
    assert [text.partition("line ")[2] for text in world.warnings] == [
        '1: bad mask length in "10.0.0.0/33": skipping this rule',
        '2: bad address pattern: "foo": skipping this rule',
        "3: no lookup result: skipping this rule",
        "4: ENDIF without IF: skipping this rule",
        "5: IF has no matching ENDIF",
    ]


def test_rules_may_stand_in_the_name():
    argument = "{ { 10.0.0.0/8 REJECT no }, { 0.0.0.0/0 OK } }"
    made = Cidr("cidr:" + argument, argument, TableContext())
    assert made.get("10.1.1.1") == "REJECT no"
    assert made.get("11.1.1.1") == "OK"


NETWORKS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: ipaddress.ip_network((pair[0], pair[1]), strict=False)
)


@given(st.lists(st.tuples(NETWORKS, st.booleans()), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_it_answers_as_a_walk_through_the_rules_does(rules, number):
    argument = "{" + " ".join(f"{{{'!' * no}{network} {at}}}" for at, (network, no) in enumerate(rules)) + "}"
    address = ipaddress.ip_address(number)
    wanted = next((str(at) for at, (network, no) in enumerate(rules) if (address in network) is not no), None)
    assert Cidr("cidr:x", argument, TableContext()).get(str(address)) == wanted
