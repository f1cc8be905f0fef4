import pytest

TABLE = (
    "inline:{ {x1@e.test=a,b,c,d,e}, {y1@e.test=y2@e.test}, {y2@e.test=y3@e.test}, {y3@e.test=y4@e.test},"
    " {y4@e.test=y5@e.test}, {y5@e.test=y6@e.test}, {l@e.test=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.test},"
    " {loop1@e.test=loop2@e.test}, {loop2@e.test=loop1@e.test}, {three@e.test=p@q,r@s,t@u},"
    " {self@e.test=self@e.test,o@e.test}, {SELF2@e.test=o@e.test,Self2@e.test} }"
)
LIMITS = {
    "virtual_alias_expansion_limit": "3",
    "virtual_alias_recursion_limit": "3",
    "virtual_alias_address_length_limit": "30",
}


@pytest.mark.parametrize(
    ("recipient", "warning"),
    [
        ("x1@e.test", "map expansion size for x1@e.test"),
        ("y1@e.test", "map nesting for y1@e.test"),
        ("y3@e.test", "map nesting for y3@e.test"),
        ("l@e.test", "result aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@e.test..."),
        ("loop1@e.test", "map nesting for loop1@e.test"),
    ],
)
def test_an_unreasonable_expansion_defers_the_message(bench, recipient, warning):
    b = bench(virtual_alias_maps=TABLE, **LIMITS)
    assert b.send(b"\r\nx\r\n", recipient) == "451 4.6.0 Alias expansion error"
    key = b.sink.lines[-1].split(": ")[2]
    assert b.sink.lines[-1] == (
        f"cleanup: warning: {key}: unreasonable virtual_alias_maps {warning}"
        " -- message not accepted, try again later"
    )
    assert b.store.messages == []


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("y4@e.test", ["y6@e.test"]),
        ("three@e.test", ["p@q", "r@s", "t@u"]),
        ("self@e.test", ["self@e.test", "o@e.test"]),
        ("self2@e.test", ["o@e.test", "Self2@e.test"]),
        ("other@e.test", ["other@e.test"]),
    ],
)
def test_aliases_are_followed_to_their_ends(bench, recipient, expected):
    b = bench(virtual_alias_maps=TABLE, **LIMITS)
    b.send(b"\r\nx\r\n", recipient)
    assert b.envelope[1:] == expected


def test_a_loop_ends_at_the_default_limits_too(bench):
    b = bench(virtual_alias_maps="inline:{ {a@x=b@x}, {b@x=a@x} }")
    assert b.send(b"\r\nx\r\n", "a@x").startswith("451 4.6.0")


def test_addresses_that_name_each_other_and_themselves_are_each_kept_once(bench):
    b = bench(virtual_alias_maps="inline:{ {a@x=b@x,a@x}, {b@x=a@x,b@x} }")
    b.send(b"\r\nx\r\n", "a@x")
    assert sorted(b.envelope[1:]) == ["a@x", "b@x"]
