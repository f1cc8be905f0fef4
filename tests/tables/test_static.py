import pytest

from postroad.tables.static import Static


@pytest.mark.parametrize(("argument", "value"), [("OK", "OK"), ("{REJECT not here}", "REJECT not here")])
def test_every_key_has_the_same_answer(argument, value):
    table = Static("static:" + argument, argument)
    assert {table.get(key) for key in ("a", "", "@b")} == {value}


@pytest.mark.parametrize("argument", ["{}", "{a", "{ }"])
def test_a_static_table_without_a_value_is_refused(argument):
    with pytest.raises(ValueError):
        Static("static:" + argument, argument)
