import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.rulefile import Blocks, is_negated, rule_source


def collect(name, lines):
    return [name.rpartition("/")[2], *lines]


def test_rules_come_from_a_file_and_follow_it(world):
    source = rule_source("rules", collect, world.context)
    with pytest.raises(TableUnavailable):
        source.get()
    world.write("rules", "a\n b\nc\n")
    assert source.get() == ["rules", (1, "a b"), (3, "c")]
    world.write("rules", "d\n")
    assert source.get() == ["rules", (1, "d")]


def test_rules_may_stand_in_the_name(world):
    assert rule_source("{ {a b}, {/{2}/ c} }", collect, world.context).get() == [
        "inline",
        (1, "a b"),
        (2, "/{2}/ c"),
    ]


@pytest.mark.parametrize("argument", ["{a}", "{ {a}", "{ {a} } b"])
def test_rules_in_the_name_need_braces_each(world, argument):
    with pytest.raises(ValueError):
        rule_source(argument, collect, world.context)


@pytest.mark.parametrize(
    ("text", "result"), [("a", (False, "a")), ("!a", (True, "a")), ("! !a", (False, "a")), ("", (False, ""))]
)
def test_exclamation_marks_are_counted(text, result):
    assert is_negated(text) == result


def test_blocks_nest_and_those_left_open_are_warned_of():
    warnings = []
    blocks = Blocks("map f", warnings.append)
    blocks.open(1, "outer")
    blocks.open(2, "inner")
    assert blocks.conditions() == ("outer", "inner")
    assert blocks.close() == "inner"
    assert blocks.end() == ["outer"]
    assert warnings == ["map f, line 1: IF has no matching ENDIF"]
    assert Blocks("map f", warnings.append).close() is None
