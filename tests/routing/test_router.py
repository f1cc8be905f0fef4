"""Where addresses go.  Expected routes were made by asking Postfix 3.7's trivial-rewrite."""

from __future__ import annotations

import pytest

from postroad.base import tasks
from postroad.base.errors import TableUnavailable
from postroad.model.route import AddressClass, Route

SETTINGS = {
    "virtual_alias_domains": "alias.example",
    "virtual_mailbox_domains": "box.example",
    "relay_domains": "relay.example",
    "recipient_delimiter": "+",
    "relayhost": "[relay.host]:2601",
    "transport_maps": "inline:{ {box@box.example=:other}, {x@alias.example=never:}, {slow.example=slow:} }",
    "relocated_maps": "inline:{ {gone@example.test=new@else.where}, {@moved.example=nowhere}, {gone=bare} }",
    "sender_dependent_relayhost_maps": "inline:{ {s@a.example=[srelay]}, {d@a.example=DUNNO}, {@b.example=brelay:26}, {<>=nullrelay} }",
    "sender_dependent_default_transport_maps": "inline:{ {t@a.example=slow}, {u@a.example=slow:there}, {v@a.example=dunno} }",
}


@pytest.mark.parametrize(
    ("sender", "address", "transport", "nexthop"),
    [
        ("q@q", "a@example.test", "local", "mx.example.test"),
        ("q@q", "user%other.example@example.test", "smtp", "[relay.host]:2601"),
        ("", "a@any.example", "smtp", "nullrelay"),
        ("q@q", "x@alias.example", "error", "5.1.1 User unknown in virtual alias table"),
        ("q@q", "x@box.example", "virtual", "box.example"),
        ("q@q", "box+ext@box.example", "virtual", "other"),
        ("q@q", "x@sub.relay.example", "relay", "[relay.host]:2601"),
        ("q@q", "x@slow.example", "slow", "slow.example"),
        ("q@q", "gone+x@example.test", "error", "5.1.6 User has moved to new@else.where"),
        ("q@q", "gone@mx.example.test", "error", "5.1.6 User has moved to bare"),
        ("q@q", "x@moved.example", "error", "5.1.6 User has moved to nowhere"),
        ("s@a.example", "x@any.example", "smtp", "[srelay]"),
        ("S+tag@A.example", "x@any.example", "smtp", "[srelay]"),
        ("d@a.example", "x@any.example", "smtp", "[relay.host]:2601"),
        ("q@b.example", "x@any.example", "smtp", "brelay:26"),
        ("t@a.example", "x@any.example", "slow", "[relay.host]:2601"),
        ("u@a.example", "x@any.example", "slow", "there"),
        ("v@a.example", "x@any.example", "smtp", "[relay.host]:2601"),
        ("u@a.example", "x@relay.example", "relay", "[relay.host]:2601"),
        ("q@q", "user@-bad.example", "error", "5.1.3 bad address syntax"),
        ("q@q", "-minus@example.test", "error", "5.1.3 bad address syntax"),
        ("q@q", "Double-Bounce@example.test", "discard", "undeliverable postmaster notification discarded"),
        ("q@q", "double-bounce@any.example", "smtp", "[relay.host]:2601"),
    ],
)
async def test_an_address_goes_where_postfix_sends_it(make, sender, address, transport, nexthop):
    route = await make(**SETTINGS).router.route(address, sender)
    assert (route.transport, route.nexthop) == (transport, nexthop)


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("x@Any.Example", Route("smtp", "any.example", "x@Any.Example", AddressClass.DEFAULT)),
        ("x@[192.0.2.9]", Route("smtp", "[192.0.2.9]", "x@[192.0.2.9]", AddressClass.DEFAULT)),
        ("x@[192.0.2.2]", Route("local", "mx.example.test", "x@[192.0.2.2]", AddressClass.LOCAL)),
        ("", Route("local", "mx.example.test", "MAILER-DAEMON@mx.example.test", AddressClass.LOCAL)),
    ],
)
async def test_without_tables_the_domain_is_the_next_hop(make, address, route):
    router = make().router
    assert await router.route(address) == route
    assert await router.route(address) == route
    assert await router.classify(address) is route.address_class


async def test_a_domain_known_already_is_not_looked_up_again_but_only_where_nothing_can_change(
    make, monkeypatch
):
    fixed, table = make().router, make(transport_maps="inline:{ {a.example=b:} }").router
    for router in (fixed, table):
        first = await router.route("x@any.example")
        monkeypatch.setattr(router, "_resolver", None)
        if router is fixed:
            assert await router.route("y@any.example") == first._replace(recipient="y@any.example")
            assert router.remembered("y@any.example") == (first.transport, first.nexthop)
            assert router.remembered("y@other.example") is None
        else:
            assert router.remembered("x@any.example") is None
            with pytest.raises(AttributeError):
                await router.route("y@any.example")


async def test_a_known_domain_changes_no_answer(make):
    addresses = [
        "x@%s",
        "x%%y.example@%s",
        "y.example!x@%s",
        "x@y.example@%s",
        "@%s",
        "-x@%s",
        "double-bounce@%s",
    ]
    for domain in ("example.test", "any.example", "any.example.", "-bad", "[192.0.2.2]"):
        warm = make().router
        await warm.route(f"first@{domain}")
        for address in (form % domain for form in addresses):
            route = await make().router.route(address)
            assert warm.remembered(address) in (None, route[:2])
            assert await warm.route(address) == route


async def test_what_is_known_to_be_elsewhere_is_so_for_every_way_to_write_it(make):
    forms = ["x@%s", "x%%y.example@%s", "y.example!x@%s", "x@y.example@%s", "@%s", "-x@%s", "@a.example:x@%s"]
    yes = set()
    for domain in ("any.example", "example.test", "any.example.", "-bad", "[192.0.2.2]", "relay.example"):
        warm = make(relay_domains="relay.example").router
        assert not warm.is_elsewhere(f"x@{domain}")
        await warm.route(f"first@{domain}")
        for address in (form % domain for form in forms):
            route = await make(relay_domains="relay.example").router.route(address)
            if warm.is_elsewhere(address):
                yes.add(address)
                assert (route.address_class, route.transport) == (AddressClass.DEFAULT, "smtp")
    assert yes == {"x@any.example"}
    changing = make(transport_maps="inline:{ {a.example=b:} }").router
    await changing.route("x@any.example")
    assert not changing.is_elsewhere("x@any.example")


async def test_what_is_remembered_is_bounded(make, monkeypatch):
    monkeypatch.setattr("postroad.routing.router._CACHED", 3)
    router = make().router
    for number in range(10):
        await router.route(f"x@d{number}.example")
    assert len(router._domains) <= 3


async def test_a_table_that_changes_changes_the_routes(make, tmp_path):
    path = tmp_path / "transport"
    path.write_text("a.example one:\n")
    made = make(transport_maps=f"texthash:{path}")
    made.context.interval = 0
    assert (await made.router.route("x@a.example")).transport == "one"
    path.write_text("a.example another:\n")
    made = make(transport_maps=f"texthash:{path}")
    assert (await made.router.route("x@a.example")).transport == "another"


@pytest.mark.parametrize(
    "name",
    [
        "transport_maps",
        "relocated_maps",
        "sender_dependent_relayhost_maps",
        "sender_dependent_default_transport_maps",
        "mydestination",
        "relay_domains",
    ],
)
async def test_a_table_that_fails_is_no_route(make, name):
    with pytest.raises(TableUnavailable):
        await make(**{name: "fail:x"}).router.route("x@any.example", "s@a.example")


async def test_a_transport_without_a_name_keeps_the_mail_and_is_reported(make):
    made = make(default_transport=":nowhere")
    with pytest.raises(TableUnavailable, match="default_transport"):
        await made.router.route("x@any.example")
    assert made.lines == [
        "trivial-rewrite: warning: parameter default_transport: null transport is not allowed"
    ]


async def test_a_leading_minus_can_be_allowed(make):
    assert (await make(allow_min_user="yes").router.route("-x@example.test")).transport == "local"


async def test_a_next_hop_in_a_transport_parameter_wins(make):
    router = make(
        local_transport="lmtp:unix:private/x",
        virtual_mailbox_domains="b.example",
        virtual_transport="lmtp:[h]:24",
    ).router
    assert (await router.route("x@example.test"))[:2] == ("lmtp", "unix:private/x")
    assert (await router.route("x@b.example"))[:2] == ("lmtp", "[h]:24")


async def test_the_table_can_be_left_out_of_the_words(make):
    route = await make(virtual_alias_domains="v.example", show_user_unknown_table_name="no").router.route(
        "x@v.example"
    )
    assert route.nexthop == "5.1.1 User unknown"


async def test_a_route_does_not_wait(make):
    got = []
    assert tasks.start(
        make(**SETTINGS).router.route("x@any.example", "s@a.example"), lambda *end: got.append(end)
    )
    assert got[0][0].nexthop == "[srelay]"


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("x@any.example", True),
        ("x@-bad", False),
        ("-x@example.test", False),
        ("x@1.2.3.4", False),
        ("", True),
    ],
)
async def test_bad_addresses_are_told_before_they_are_queued(make, address, valid):
    assert await make().router.is_valid(address) is valid
