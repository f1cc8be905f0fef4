import pytest

from postroad.tables.braces import inside


@pytest.mark.parametrize(
    ("text", "result"), [("{a}", "a"), (" { a b } ", "a b"), ("{{a} {b}}", "{a} {b}"), ("{}", "")]
)
def test_what_stands_between_the_outermost_braces(text, result):
    assert inside(text) == result


@pytest.mark.parametrize("text", ["", "a", "{a", "a}", "{a} b", "{a} {b}", "{{a}", "{a}}", "{"])
def test_braces_that_do_not_match_are_refused(text):
    with pytest.raises(ValueError):
        inside(text)
