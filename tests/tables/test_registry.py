"""Tables are opened by type:name, once."""

from importlib.metadata import EntryPoint

import pytest

from postroad.tables import registry
from postroad.tables.inline import Inline
from postroad.tables.registry import open_table, problem_of, table_types


@pytest.mark.parametrize("kind", ["hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"])
def test_every_text_type_reads_the_source(world, kind):
    world.write("t", "a b\n")
    table = open_table(f"{kind}:t", world.context)
    assert table.get("a") == "b"
    assert table.name == f"{kind}:t"


def test_the_same_table_is_opened_once(world):
    assert open_table("hash:t", world.context) is open_table("hash:t", world.context)
    assert open_table("proxy:hash:t", world.context) is open_table("hash:t", world.context)
    assert open_table("hash:t", world.context, aliases=True) is not open_table("hash:t", world.context)


def test_what_alias_maps_names_has_the_alias_format_whoever_asks(world):
    world.write("aliases", "root: alice\n")
    world.context.texts = {"alias_maps": "hash:aliases"}
    assert open_table("hash:aliases", world.context).get("root") == "alice"
    assert open_table("proxy:hash:aliases", world.context).get("root") == "alice"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("nosuch:/x", "unsupported dictionary type: nosuch"),
        ("/etc/aliases", 'open dictionary: expecting "type:name" form instead of "/etc/aliases"'),
        ("hash:", 'open dictionary: expecting "type:name" form instead of "hash:"'),
        ("pgsql:/x", "pgsql: tables of this type are not supported yet: pgsql:/x"),
        ("proxy:nosuch:x", "unsupported dictionary type: nosuch"),
        ("unionmap:{hash:/a,ldap:/b}", "ldap: tables of this type are not supported yet: ldap:/b"),
        ("unix:shadow", "unknown table: unix:shadow"),
        ("inline:{}", 'bad syntax: "inline:{}"; need "inline:{name=value...}"'),
    ],
)
def test_what_cannot_be_opened_says_why(world, spec, problem):
    with pytest.raises(ValueError) as caught:
        open_table(spec, world.context)
    assert str(caught.value) == problem
    assert problem_of(spec, world.context) == problem


def test_a_missing_file_is_a_problem_for_who_checks_and_not_for_who_opens(world):
    open_table("hash:missing", world.context)
    assert problem_of("hash:missing", world.context) == (
        f"open {world.folder}/missing: No such file or directory"
    )
    world.write("missing", "a b\n")
    assert problem_of("hash:missing", world.context) == ""


def test_other_packages_bring_types_of_their_own(world, monkeypatch):
    point = EntryPoint("mine", "tests:opener", registry.ENTRY_POINT)
    monkeypatch.setattr(
        EntryPoint, "load", lambda self: lambda argument, context: Inline("mine:" + argument, "{a=b}")
    )
    monkeypatch.setattr(
        registry, "entry_points", lambda group, name=None: [point] if name in (None, "mine") else []
    )
    assert open_table("mine:x", world.context).get("a") == "b"
    assert "mine" in table_types()


def test_the_types_are_known_by_name():
    assert {"hash", "regexp", "pcre", "cidr", "proxy", "static", "unix"} <= set(table_types())
