import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.tables.contract import check_table
from postroad.tables.inline import Inline


def table(argument):
    return Inline("inline:" + argument, argument)


async def test_it_keeps_the_contract_of_tables():
    await check_table(table("{ key=value, other=x }"), "key", "value", "nobody")


@pytest.mark.parametrize(
    ("argument", "pairs"),
    [
        ("{a=b, c=d}", {"a": "b", "c": "d"}),
        ("{ {A = b c} d=e }", {"a": "b c", "d": "e"}),
        ("{ {a = {b}} }", {"a": "{b}"}),
        ("{a=b=c}", {"a": "b=c"}),
        ("{a=1, a=2}", {"a": "2"}),
        ("{a=}", {"a": ""}),
    ],
)
def test_pairs_between_braces(argument, pairs):
    assert dict(table(argument).entries()) == pairs


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("{}", "bad syntax: "),
        ("a=b", "bad syntax: "),
        ("{a=b", "bad syntax: "),
        ("{a=b} c", "bad syntax: "),
        ("{a}", "missing '=' after attribute name: "),
        ("{ {=x} }", "missing attribute name: "),
    ],
)
def test_what_is_no_table_is_refused_with_the_form_that_is_wanted(argument, problem):
    with pytest.raises(ValueError, match=f'{problem}.*need "inline:{{name=value...}}"'):
        table(argument)


NAME = st.text(alphabet="abc@.+", min_size=1)


@given(st.dictionaries(NAME, st.text(alphabet="xyz 1@", min_size=1).map(str.strip).filter(bool), min_size=1))
def test_every_pair_that_was_written_is_found(pairs):
    argument = "{" + " ".join(f"{{{key} = {value}}}" for key, value in pairs.items()) + "}"
    made = table(argument)
    assert {key: made.get(key) for key in pairs} == pairs


def test_its_words_are_the_pairs():
    assert Inline("inline", "{ A=1, {b = 2 3} }").words() == {"a": "1", "b": "2 3"}
