"""Lists of domains, clients and names: the first member that fits decides."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.model.params import params
from postroad.tables import matchlist
from postroad.tables.context import TableContext
from postroad.tables.matchlist import AddressList, DomainList, StringList, parents_of


class Waiting:
    """A table that is not local."""

    def __init__(self, pairs):
        self.name = "waiting:x"
        self.pairs = pairs
        self.asked = []

    async def lookup(self, key):
        self.asked.append(key)
        return self.pairs.get(key)


@pytest.mark.parametrize(
    ("members", "parents", "name", "yes"),
    [
        ("example.com", True, "example.com", True),
        ("example.com", True, "EXAMPLE.com", True),
        ("Example.COM", True, "a.b.example.com", True),
        ("example.com", True, "badexample.com", False),
        ("example.com", False, "a.example.com", False),
        (".example.com", False, "a.example.com", True),
        (".example.com", False, "example.com", False),
        (".example.com", True, "a.example.com", False),
        ("!a.example.com example.com", True, "a.example.com", False),
        ("!a.example.com example.com", True, "b.a.example.com", False),
        ("!a.example.com example.com", True, "b.example.com", True),
        ("example.com !a.example.com", True, "a.example.com", True),
        ("!!example.com", True, "example.com", True),
        ("inline:{example.com=x}", True, "a.example.com", True),
        ("inline:{example.com=x}", False, "a.example.com", False),
        ("inline:{.example.com=x}", False, "a.example.com", True),
        ("!inline:{a.b=x} static:all", True, "a.b", False),
        ("!inline:{a.b=x} static:all", True, "c.d", True),
        ("", True, "example.com", False),
        ("example.com", True, "", False),
    ],
)
async def test_domains(members, parents, name, yes):
    made = DomainList(members.split(), TableContext(), parents=parents)
    assert made.now
    assert await made.matches(name) is yes
    assert made.matches_now(name) is yes


@pytest.mark.parametrize(
    ("members", "name", "yes"),
    [
        ("a b", "B", True),
        ("a b", "c", False),
        ("example.com", "a.example.com", False),
        (".example.com", "a.example.com", False),
        ("inline:{example.com=x}", "a.example.com", False),
        ("regexp:{{/^x/_y}}", "x1", True),
    ],
)
async def test_names_are_compared_whole(members, name, yes):
    made = StringList([member.replace("_", " ") for member in members.split()], TableContext())
    assert await made.matches(name) is yes


@pytest.mark.parametrize(
    ("members", "address", "name", "yes"),
    [
        ("192.0.2.0/24", "192.0.2.7", "", True),
        ("192.0.2.0/24", "192.0.3.7", "", False),
        ("192.0.2.7", "192.0.2.7", "", True),
        ("!192.0.2.66 192.0.2.0/24", "192.0.2.66", "", False),
        ("192.0.2.0/24 !192.0.2.66", "192.0.2.66", "", True),
        ("0.0.0.0/0", "::1", "", False),
        ("[::1]/128", "::1", "", True),
        ("[2001:db8::]/64", "2001:DB8::7", "", True),
        ("[2001:db8::7]", "2001:db8:0::7", "", True),
        ("example.com", "192.0.2.1", "a.example.com", True),
        ("example.com", "192.0.2.1", "unknown", False),
        ("!a.example.com 192.0.2.0/24", "192.0.2.1", "a.example.com", False),
        ("192.0.2.0/24 !a.example.com", "192.0.2.1", "a.example.com", True),
        ("cidr:{{192.0.2.0/24_x}}", "192.0.2.1", "", True),
        ("!cidr:{{192.0.2.0/24_x}} 0.0.0.0/0", "192.0.2.1", "", False),
        ("inline:{192.0.2.1=x}", "192.0.2.1", "", True),
        ("inline:{192.0.2=x}", "192.0.2.1", "", False),
        ("static:all", "192.0.2.1", "", True),
        ("127.0.0.0/8", "unknown", "", False),
    ],
)
async def test_clients(members, address, name, yes):
    made = AddressList([member.replace("_", " ") for member in members.split()], TableContext())
    assert await made.matches(address, name) is yes
    assert made.matches_now(address, name) is yes


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (
            "10.0.0.1/8",
            'non-null host address bits in "10.0.0.1/8", perhaps you should use "10.0.0.0/8" instead',
        ),
        ("10.0.0.0/99", 'bad mask length in "10.0.0.0/99"'),
        ("2001:db8::/32", "unsupported dictionary type: 2001"),
        ("!", "no pattern after '!'"),
        ("nosuch:x", "unsupported dictionary type: nosuch"),
    ],
)
def test_a_member_that_cannot_be_used_is_refused_in_postfix_words(member, problem):
    with pytest.raises(ValueError) as caught:
        AddressList([member], TableContext())
    assert str(caught.value) == problem


async def test_a_file_s_members_follow_its_changes(world):
    path = world.write("nets", "# mine\n192.0.2.0/24, !198.51.100.7\n198.51.100.0/24\n")
    made = AddressList([str(path)], world.context)
    assert [await made.matches(a) for a in ("192.0.2.1", "198.51.100.7", "198.51.100.8")] == [
        True,
        False,
        True,
    ]
    world.write("nets", "203.0.113.0/24\n")
    assert [await made.matches(a) for a in ("192.0.2.1", "203.0.113.1")] == [False, True]


async def test_a_negated_file_turns_every_verdict_in_it(world):
    path = world.write("f", "a.test !b.test\n")
    made = DomainList([f"!{path}", "static:all"], world.context, parents=False)
    assert [await made.matches(name) for name in ("a.test", "b.test", "c.test")] == [False, True, True]


async def test_a_file_that_cannot_be_read_or_used_is_not_an_empty_one(world):
    made = AddressList([str(world.folder / "nets")], world.context)
    with pytest.raises(TableUnavailable, match="No such file"):
        await made.matches("192.0.2.1")
    world.write("nets", "10.0.0.1/8\n")
    with pytest.raises(TableUnavailable, match="nets: non-null host address bits"):
        made.load()
    world.write("nets", "10.0.0.0/8\n")
    assert await made.matches("10.1.1.1")


async def test_a_file_that_names_itself_is_refused(world):
    path = world.folder / "loop"
    world.write("loop", f"{path}\n")
    with pytest.raises(TableUnavailable, match="more than 8 deep"):
        await StringList([str(path)], world.context).matches("x")


async def test_members_before_a_table_that_fails_still_count():
    made = DomainList(["a.test", "fail:x", "b.test"], TableContext(), parents=False)
    assert await made.matches("a.test")
    with pytest.raises(TableUnavailable):
        await made.matches("b.test")


async def test_tables_that_wait_are_asked_for_parents_too():
    context = TableContext()
    table = context.tables["waiting:x", False] = Waiting({"b.c": ""})
    made = DomainList(["waiting:x"], context, parents=True)
    assert not made.now
    assert await made.matches("A.b.c")
    assert table.asked == ["a.b.c", "b.c"]


def test_empty_lists_are_false():
    assert not DomainList([], TableContext(), parents=True)
    assert DomainList(["a"], TableContext(), parents=True)


@pytest.mark.parametrize(
    ("text", "name", "yes"),
    [
        ("mynetworks, relay_domains", "mynetworks", True),
        ("a", "b", False),
        ("!a, a", "a", False),
        ("", "a", False),
    ],
)
def test_parents_match_where_the_parameter_says(text, name, yes):
    settings = settings_of(
        [params],
        parent_domain_matches_subdomains=text,
        mynetworks="127.0.0.1",
        append_dot_mydomain="no",
        smtputf8_enable="yes",
        syslog_name="x",
    )
    assert parents_of(settings, name) is yes


NETWORKS = st.tuples(st.ip_addresses(), st.integers(0, 32)).map(
    lambda p: ipaddress.ip_network(p, strict=False)
)


@given(st.lists(st.tuples(NETWORKS, st.booleans()), max_size=10), st.ip_addresses())
def test_a_list_of_networks_answers_as_a_walk_through_it_does(members, address):
    written = [
        ("!" if no else "") + (f"[{net.network_address}]/{net.prefixlen}" if net.version == 6 else str(net))
        for net, no in members
    ]
    wanted = next((not no for net, no in members if address in net), False)
    assert AddressList(written, TableContext()).matches_now(str(address)) is wanted


LABELS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)


@given(st.lists(st.tuples(LABELS, st.booleans(), st.booleans()), max_size=8), LABELS, st.booleans())
def test_a_list_of_domains_answers_as_a_walk_through_it_does(members, name, parents):
    wanted = False
    for domain, dotted, no in members:
        pattern = "." + domain if dotted else domain
        suffix = "." + pattern if parents else pattern if dotted else "\0"
        if name == pattern or (name.endswith(suffix) and len(name) > len(suffix)):
            wanted = not no
            break
    written = [("!" if no else "") + ("." if dotted else "") + domain for domain, dotted, no in members]
    assert DomainList(written, TableContext(), parents=parents).matches_now(name) is wanted


def test_what_an_address_gives_is_remembered_and_stays_right(monkeypatch):
    monkeypatch.setattr(matchlist, "_KNOWN", 3)
    made = AddressList(["!192.0.2.9", "192.0.2.0/24"], TableContext())
    for _ in range(2):
        assert [made.matches_now(f"192.0.2.{n}") for n in range(8, 12)] == [True, False, True, True]
        assert not made.matches_now("198.51.100.1")
    assert len(made._sections[0].known) <= 3
    assert len(made._clients_known) <= 3


def test_a_client_is_its_address_and_its_name_and_what_can_change_is_asked_again(monkeypatch):
    made = AddressList(["friend.example", "!192.0.2.9", "192.0.2.0/24"], TableContext())
    for _ in range(2):
        assert made.matches_now("198.51.100.1", "friend.example")
        assert not made.matches_now("198.51.100.1", "other.example")
        assert made.matches_now("192.0.2.9", "friend.example")
        assert not made.matches_now("192.0.2.9", "other.example")
    asked = AddressList(["inline:{192.0.2.7=x}", "192.0.2.8"], TableContext())
    assert asked.matches_now("192.0.2.7")
    monkeypatch.setattr(asked._sections[0].table, "get", lambda _key: None)
    assert not asked.matches_now("192.0.2.7")
    assert asked.matches_now("192.0.2.8")
