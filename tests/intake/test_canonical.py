import pytest

from postroad.base.errors import TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.intake.canonical import Mapping, Masquerade, split_addresses
from postroad.intake.refusal import RefusedError
from postroad.mail.address import Extensions
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps


def mapping(spec, sink, *, propagate=True):
    maps = Maps([spec], TableContext())
    complete = lambda a: a if "@" in a else f"{a}@o.test"  # noqa: E731
    return Mapping("canonical_maps", maps, Extensions("+"), complete, Log(sink), propagate=propagate)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@x", ["b@y"]),
        ("a+e@x", ["b+e@y"]),
        ("many@x", ["p@q", "r@o.test"]),
        ("c@dom", ["c@other"]),
        ("c+e@dom", ["c+e@other"]),
        ("quoted@x", ["a b@y", "c,d@z"]),
        ("none@x", []),
    ],
)
async def test_a_value_becomes_complete_addresses(address, expected):
    spec = 'inline:{{a@x=b@y},{many@x=p@q, r},{@dom=@other},{quoted@x="a b"@y, "c,d"@z}}'
    assert await mapping(spec, ListSink()).find(address, "Q") == expected


async def test_the_text_of_a_value_is_taken_whole():
    assert await mapping("inline:{{a@x=b@y,c@z}}", ListSink()).text("a@x", "Q") == "b@y,c@z"
    assert await mapping("inline:{{a@x=b@y}}", ListSink()).text("z@x", "Q") == ""


async def test_canonical_looks_up_its_own_answer_until_it_stays():
    sink = ListSink()
    m = mapping("inline:{{a@x=b@x},{b@x=c@x},{c@x=C@x}}", sink)
    assert await m.canonical("a@x", "Q") == "C@x"
    assert sink.lines == []


async def test_a_loop_is_left_with_a_warning_and_several_values_as_well():
    sink = ListSink()
    assert await mapping("inline:{{a@x=b@x},{b@x=a@x}}", sink).canonical("a@x", "Q") == "a@x"
    assert sink.lines == ["cleanup: warning: Q: unreasonable canonical_maps map nesting for a@x"]
    assert await mapping("inline:{{a@x=b@x, c@x}}", sink).canonical("a@x", "Q") == "b@x"
    assert sink.lines[-1] == "cleanup: warning: Q: multi-valued canonical_maps entry for a@x"


async def test_a_table_that_fails_refuses():
    with pytest.raises(RefusedError, match=r"451 4\.3\.0"):
        await mapping("fail:x", ListSink()).find("a@x", "Q")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@x", ["a@x"]),
        ("a@x, b , c@d", ["a@x", "b", "c@d"]),
        ("a@x b@y", ["a@x", "b@y"]),
        ("", []),
        (" , ", []),
        ('"a b"@x, Al <c@d> (boss)', ["a b@x", "c@d"]),
    ],
)
def test_the_addresses_of_a_value(value, expected):
    assert split_addresses(value) == expected


class Broken:
    async def matches(self, name):
        raise TableUnavailable("gone")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("u@any.foo.example.com", "u@foo.example.com"),
        ("u@any.else.example.com", "u@example.com"),
        ("u@example.com", "u@example.com"),
        ("u@notexample.com", "u@notexample.com"),
        ("u@a.no.example.com", "u@a.no.example.com"),
        ("u", "u"),
        ("u@HOST.Example.Com", "u@example.com"),
    ],
)
async def test_masquerading_takes_the_first_domain_that_fits(address, expected):
    masquerade = Masquerade(["foo.example.com", "!no.example.com", "example.com"])
    assert await masquerade.apply(address, "Q", Log(ListSink())) == expected


async def test_masquerading_defers_when_its_exceptions_cannot_be_asked():
    with pytest.raises(RefusedError):
        await Masquerade(["x"], Broken()).apply("a@b.x", "Q", Log(ListSink()))
    assert await Masquerade(["x"], Broken()).apply("a@y", "Q", Log(ListSink())) == "a@y"
