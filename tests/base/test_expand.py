import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.base.expand import Expander, ExpansionError, compare, names_in

RAW = {
    "f": "foo",
    "g": "$f$f",
    "e": "",
    "u": "$nowhere",
    "lv": "3.6",
    "nine": "9",
    "a": "$b",
    "b": "x$c",
    "c": "${a}",
}


def expand(text):
    return Expander(RAW.get).expand(text)


# Each pair was asked of Postfix 3.7 (postconf -x).
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$f ${f} $(f)", "foo foo foo"),
        ("${f?x}${f:x}${e?y}${e:y}", "xy"),
        ("x$u-${u?set}", "x-set"),
        ("${f?{a}:{b}} ${e?{a}:{b}} ${e?{a}:b c}", "a b b c"),
        ("${f? {a} : {b} }", "a"),
        ("${ f } ${f ?x} ${ f?x}", "foo x x"),
        ("$$f $$ $$$f", "$f $ $foo"),
        ("${{$f} == {foo} ? {c} : {d}}${{$f} != {foo} ? {c} : {d}}", "cd"),
        ("${{$f} == {foo}?c}|${{$f} == {foo}:c}|${{$f} == {bar}:c d}", "c||c d"),
        ("${{10} < {9} ? {c} : {d}}${{10} < {9x} ? {c} : {d}}${{10}<{9}?c}", "dc"),
        ("${{$lv} <level {3.10} ? {c} : {d}}${{$lv} >=level {3.6}?c}${{$lv} ==level {3.6.0}?c}", "ccc"),
        ("${{1} == {1}}${{1} == {2}}", "true"),
        ("${{ a } == {a} ? {eq} : {ne}}", "ne"),
        ("${{} == {} ? {eq} : {ne}}", "eq"),
        ("${f?a{b}c} ${f?a${e:z}c} ${f??foo:{b}ar}", "a{b}c azc ?foo:{b}ar"),
        ("${f?{${g?{x $f}}}:{no}}", "x foo"),
        ("$f.bar $f-bar [$fbar]", "foo.bar foo-bar []"),
        ("${{$nine} > {10} ? {c}:{d}}${{007} == {7} ? {c}:{d}}", "dc"),
        ("${f?{not empty}:{empty}}", "not empty"),
        ("$(f?x{y})", "x{y}"),
        ("plain", "plain"),
    ],
)
def test_text_expands_as_with_postfix(text, value):
    assert expand(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("${", "$(f", "$", "$-", "${}", "$()", "${f-}", "${(f)}", "${f?{a}x}", "${f?{a}:{b}x}"),
        *("${f:{a}:{b}}", "${{a} ~ {b}}", "${{a} == b}", "${{a} == {b} x}", "${{x} <level {1}}"),
        *("${{1.2.3.4} <level {1}}", "${f?{a:{b}}"),
    ],
)
def test_malformed_text_is_an_error(text):
    with pytest.raises(ExpansionError):
        expand(text)


def test_a_loop_is_named():
    with pytest.raises(ExpansionError, match=r"\$a -> \$b -> \$c -> \$a"):
        expand("$a")


def test_deep_nesting_is_refused_not_followed():
    with pytest.raises(ExpansionError, match="nesting"):
        expand("${f?" * 500 + "}" * 500)


def test_a_value_is_worked_out_once():
    asked = []

    def raw(name):
        asked.append(name)
        return {"x": "$y$y", "y": "1"}.get(name)

    expander = Expander(raw)
    assert expander.expand("$x$x") == "1111"
    assert asked == ["x", "y"]


def test_names_in_a_text():
    assert names_in("$a ${b?{$c}} ${{$d} == {$(e)} ? {f} : {g}} $$h") == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize(
    ("left", "sign", "right", "holds"),
    [
        ("10", "<", "9", False),
        ("10", "<", "9a", True),
        ("3.10", ">level", "3.9", True),
        ("2", "<=level", "2.0.0", True),
    ],
)
def test_compare_knows_numbers_text_and_levels(left, sign, right, holds):
    assert compare(left, sign, right) is holds


@given(st.text(alphabet="$fe{}()?:=<> l$", max_size=40))
def test_any_text_expands_or_is_refused(text):
    with contextlib.suppress(ExpansionError):
        assert isinstance(expand(text), str)
