import pytest

from postroad.base.kinds import BOOL, INT, LIST, STRING
from postroad.base.params import Facts, Group, Registry, settings_of


@pytest.fixture
def group():
    g = Group("room")
    g.declare("limit", INT, "20", "A limit.", low=1, high=100)
    g.declare("name", STRING, lambda facts: facts.hostname, "A name.")
    g.declare("both", STRING, "$name/${limit}", "Both.")
    return g


def test_a_default_outside_its_own_bounds_fails_where_it_is_declared(group):
    with pytest.raises(ValueError, match="minimum"):
        group.declare("x", INT, "0", "", low=1)


def test_a_name_declared_twice_is_refused(group):
    other = Group("other")
    other.declare("limit", INT, "1", "")
    with pytest.raises(ValueError, match="declared twice"):
        Registry([group, other])


def test_settings_are_typed_by_their_kind_and_expanded(group):
    settings = settings_of([group], Facts(hostname="mx.x"), limit="7")
    assert settings[group.params[0]] == 7
    assert settings[group.params[2]] == "mx.x/7"
    assert settings.texts["both"] == "mx.x/7"


@pytest.mark.parametrize(
    ("text", "says"),
    [("0", "less than the minimum 1"), ("101", "more than the maximum 100"), ("x", "expected a number")],
)
def test_a_bad_value_says_what_is_wrong(group, text, says):
    with pytest.raises(ValueError, match=says):
        settings_of([group], limit=text)


def test_each_transport_has_its_own_member_of_a_family():
    g = Group("room")
    g.declare("default_limit", INT, "20", "")
    family = g.declare_family("_limit", INT, "$default_limit", "", low=1)
    settings = settings_of([g], relay_limit="3")
    assert settings.transport(family, "relay") == 3
    assert settings.transport(family, "smtp") == 20
    assert Registry([g]).family_of("relay_limit") == (family, "relay")
    assert Registry([g]).family_of("relay_other") is None


def test_a_declared_member_of_a_family_has_its_own_default():
    g = Group("room")
    g.declare("default_limit", INT, "20", "")
    g.declare("local_limit", INT, "2", "")
    family = g.declare_family("_limit", INT, "$default_limit", "")
    assert settings_of([g]).transport(family, "local") == 2


def test_registry_knows_names(group):
    registry = Registry([group])
    assert "limit" in registry
    assert "nosuch" not in registry
    assert registry.get("nosuch") is None
    assert [p.name for p in registry] == ["both", "limit", "name"]


def test_kinds_round_trip_through_params():
    g = Group("room")
    flag = g.declare("flag", BOOL, "no", "")
    members = g.declare("members", LIST, "a, b", "")
    settings = settings_of([g], flag="yes")
    assert settings[flag] is True
    assert settings[members] == ("a", "b")


def test_settings_with_other_values_leave_the_first_alone():
    group = Group("x")
    first, second = group.declare("a", INT, "1", "A."), group.declare("b", INT, "2", "B.")
    settings = settings_of([group])
    other = settings.with_values({"b": 3})
    assert (other[first], other[second], settings[second]) == (1, 3, 2)
    assert other.texts is settings.texts
