"""Several tables in order, and the keys of an address in Postfix's order."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.base.errors import TableUnavailable
from postroad.mail.address import transport_keys
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps


class Remote:
    """A table that waits, and remembers what it was asked."""

    def __init__(self, pairs, pattern=False):
        self.name = "remote:x"
        self.pairs = pairs
        self.asked = []
        self.pattern = pattern

    async def lookup(self, key):
        self.asked.append(key)
        await asyncio.sleep(0)
        return self.pairs.get(key)


async def ours(domain):
    return domain == "ours.test"


def maps(*specs, remote=None, is_local=None):
    context = TableContext()
    if remote is not None:
        context.tables["remote:x", False] = remote
    return Maps(specs, context, is_local=is_local)


async def test_no_tables_are_false_and_find_nothing():
    made = maps()
    assert not made
    assert made.now
    assert await made.find("a") is None
    assert await made.find_address("a@b") is None


async def test_the_first_table_that_knows_the_key_answers():
    made = maps("inline:{a=1}", "inline:{a=2, b=3}")
    assert made
    assert [await made.find(key) for key in ("a", "A", "b", "c")] == ["1", "1", "3", None]
    assert made.find_now("B") == "3"


async def test_patterns_are_asked_for_whole_keys_as_they_are_written():
    remote = Remote({}, pattern=True)
    made = maps("remote:x", remote=remote, is_local=ours)
    await made.find_address("User+Ext@Ours.test", "+")
    assert remote.asked == ["User+Ext@Ours.test"]
    assert not made.now


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("U+e@ours.test", ["u+e@ours.test", "u@ours.test", "u+e", "u", "@ours.test"]),
        ("u@ours.test", ["u@ours.test", "u", "@ours.test"]),
        ("u+e@far.test", ["u+e@far.test", "u@far.test", "@far.test"]),
        ("u+e", ["u+e", "u"]),
        ("j d@ours.test", ['"j d"@ours.test', "j d@ours.test", '"j d"', "j d", "@ours.test"]),
    ],
)
async def test_the_keys_of_an_address_in_order(address, asked):
    remote = Remote({})
    assert await maps("remote:x", remote=remote, is_local=ours).find_address(address, "+") is None
    assert remote.asked == asked


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("u+e@far.test", ("whole", "")),
        ("v+e@far.test", ("bare", "+e")),
        ("w+e@far.test", ("domain", "")),
        ("l+e@ours.test", ("local", "+e")),
        ("l+e@else.test", None),
    ],
)
async def test_the_extension_comes_back_when_the_key_had_lost_it(address, found):
    made = maps(
        "inline:{ {u+e@far.test=whole}, {u@far.test=no}, {v@far.test=bare}, {@far.test=domain}, {l=local} }",
        is_local=ours,
    )
    assert await made.find_address(address, "+") == found


async def test_each_key_is_asked_in_all_tables_before_the_next():
    made = maps("inline:{@d=1}", "inline:{u@d=2}")
    assert (await made.find_address("u@d")).value == "2"


async def test_without_at_domain_the_domain_is_not_asked():
    assert await maps("inline:{@d=1}").find_address("u@d", at_domain=False) is None


async def test_other_orders_of_keys():
    made = maps("inline:{.example.com=1}")
    assert (await made.find_keys(transport_keys("u@a.example.com", ""))).value == "1"


async def test_a_table_that_fails_is_not_passed_over():
    with pytest.raises(TableUnavailable):
        await maps("inline:{b=1}", "fail:x", "static:y").find("a")
    assert await maps("inline:{b=1}", "fail:x").find("b") == "1"


@pytest.mark.parametrize("remote", [None, Remote({})])
async def test_an_empty_answer_is_no_answer(remote):
    specs = ["inline:{a=}"] if remote is None else ["remote:x", "inline:{a=}"]
    with pytest.raises(
        TableUnavailable, match=r"table inline:\{a=\}: key a: empty string result is not allowed"
    ):
        await maps(*specs, remote=remote).find("a")


async def test_failing_to_know_the_own_domains_fails_the_look_up():
    async def unknown(domain):
        raise TableUnavailable("mydestination")

    with pytest.raises(TableUnavailable):
        await maps("inline:{u=1}", is_local=unknown).find_address("u@d")
    assert (await maps("inline:{u@d=1}", is_local=unknown).find_address("u@d")).value == "1"


def test_loading_finds_what_cannot_be_read(tmp_path):
    made = Maps([f"hash:{tmp_path}/missing"], TableContext())
    with pytest.raises(TableUnavailable, match="No such file"):
        made.load()


NAMES = st.sampled_from(["u", "v", "u+e", "u+e+f", "x y", "+e"])
DOMAINS = st.sampled_from(["ours.test", "far.test"])


@given(NAMES, DOMAINS, st.sets(st.tuples(NAMES | st.just(""), DOMAINS)), st.sets(NAMES))
def test_waiting_and_local_tables_find_the_same(name, domain, addresses, locals_):
    keys = [f"{n}@{d}" for n, d in addresses if " " not in n] + [n for n in locals_ if " " not in n]
    pairs = dict(zip(keys, map(str, itertools.count()), strict=False))
    spec = "inline:{" + " ".join(f"{{{key} = {value}}}" for key, value in ({"z": "z"} | pairs).items()) + "}"

    async def both():
        local = await maps(spec, is_local=ours).find_address(f"{name}@{domain}", "+")
        waiting = maps("remote:x", remote=Remote(pairs), is_local=ours)
        return local, await waiting.find_address(f"{name}@{domain}", "+")

    local, waiting = asyncio.run(both())
    assert local == waiting


def test_the_first_key_that_is_there_is_found_at_once():
    spec, keys = "inline:{ {here.test = a}, {test = b} }", transport_keys("U@Here.Test", "", parents=True)
    assert maps(spec).first_now(keys) == ("Here.Test", "a")
    assert maps("inline:{ {x = y} }", spec).first_now(keys[2:]) == ("Test", "b")
    assert maps("inline:{ {x = y} }").first_now(keys) is None
    with pytest.raises(TableUnavailable):
        maps("fail:x").first_now(keys)
