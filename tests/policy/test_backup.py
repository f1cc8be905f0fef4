"""permit_mx_backup: only for domains that name us behind somebody else."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.base.tasks import result
from postroad.model.route import AddressClass

OURS = "203.0.113.25"
REFUSED = "554 5.7.1 <u@{}>: Relay access denied"
DOUBT = "450 4.4.4 <u@{}>: Recipient address rejected: "


@pytest.fixture
def answer(world, new_session):
    """Says what a recipient is answered, in a world with these exchangers and addresses."""

    async def ask(address: str, exchangers=(), addresses=(), broken=(), **texts: str) -> str:
        texts = {"smtpd_relay_restrictions": "permit_mx_backup, reject_unauth_destination"} | texts
        here = world(**texts)
        here.router.classes |= {"mx.test": AddressClass.LOCAL, f"[{OURS}]": AddressClass.LOCAL}
        here.router.classes["[ipv6:2001:db8::25]"] = AddressClass.LOCAL
        domain = address.rpartition("@")[2]
        here.resolver.records[domain, "MX"] = tuple(exchangers)
        for name, kind, value in addresses:
            here.resolver.records[name, kind] = (value,)
        here.resolver.broken |= set(broken)
        reply = await result(here.policy.recipient(new_session(), address))
        return "" if reply is None else reply.line()

    return ask


FIRST = ("first.test", "A", "192.0.2.77")
SECOND = [(10, "first.test"), (20, "mx.test")]


@pytest.mark.parametrize("own", [("mx.test", "A", "192.0.2.1"), ("b.test", "A", OURS), ("b.test", "AAAA", "2001:db8::25")])  # fmt: skip
async def test_a_domain_that_names_us_behind_another_is_permitted(answer, own):
    assert await answer("u@backup.test", [(10, "first.test"), (20, own[0])], [FIRST, own]) == ""


@pytest.mark.parametrize(
    "exchangers",
    [
        [],
        [(0, "")],
        [(10, "first.test")],
        [(10, "first.test"), (20, "other.test")],
        [(10, "mx.test")],
        [(10, "mx.test"), (20, "b.test")],
        [(10, "first.test"), (10, "mx.test")],
    ],
)
async def test_who_does_not_name_us_or_names_us_first_is_not(answer, exchangers):
    addresses = [FIRST, ("other.test", "A", "192.0.2.78"), ("b.test", "A", OURS)]
    assert await answer("u@far.test", exchangers, addresses) == REFUSED.format("far.test")


@pytest.mark.parametrize("address", ["u@here.test", "u@relay.test", "u@alias.test"])
async def test_our_own_domains_need_no_dns(answer, address):
    assert await answer(address, broken=[address.rpartition("@")[2]]) == ""


@pytest.mark.parametrize(
    "address", ["u%far.test@backup.test", "far.test!u@backup.test", "u@far.test@backup.test"]
)
async def test_routing_is_never_permitted(answer, address):
    assert (await answer(address, SECOND, [FIRST])).endswith("Relay access denied")
    assert await answer(address, SECOND, [FIRST], allow_untrusted_routing="yes") == ""


async def test_an_address_literal_has_no_exchangers(answer):
    assert await answer("u@[192.0.2.5]", SECOND, [FIRST]) == REFUSED.format("[192.0.2.5]")


async def test_what_cannot_be_looked_up_is_refused_for_now_only(answer):
    doubt = DOUBT.format("far.test")
    assert await answer("u@far.test", broken=["far.test"]) == (
        f"{doubt}Unable to look up mail exchanger information: Host not found, try again"
    )
    hosts = [(10, "lost.test"), (20, "other.test")]
    other = ("other.test", "A", "192.0.2.78")
    assert await answer("u@far.test", hosts, [other], broken=["lost.test"]) == (
        f"{doubt}Unable to look up mail exchanger host lost.test: Temporary failure in name resolution"
    )
    assert await answer("u@far.test", hosts, [other]) == (
        f"{doubt}Unable to look up mail exchanger host lost.test: No address associated with hostname"
    )


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ("192.0.2.77", ""),
        ("192.0.2.0/24", ""),
        ("first.test", ""),
        ("!192.0.2.77 192.0.2.0/24", REFUSED.format("backup.test")),
        ("198.51.100.0/24", REFUSED.format("backup.test")),
        ("fail:x", f"{DOUBT.format('backup.test')}Unable to verify host first.test as mail exchanger"),
    ],
)
async def test_the_first_exchangers_must_be_in_the_networks(answer, networks, expected):
    assert await answer("u@backup.test", SECOND, [FIRST], permit_mx_backup_networks=networks) == expected


async def test_all_first_exchangers_must_be(answer):
    hosts = [(10, "first.test"), (10, "also.test"), (20, "mx.test")]
    also = ("also.test", "A", "198.51.100.9")
    networks = {"permit_mx_backup_networks": "192.0.2.0/24"}
    assert await answer("u@far.test", hosts, [FIRST, also], **networks) == REFUSED.format("far.test")
    assert (await answer("u@far.test", hosts, [FIRST], **networks)).startswith(DOUBT.format("far.test"))


def test_networks_that_are_none_are_named(world):
    with pytest.raises(ValueError, match="permit_mx_backup_networks: "):
        world(smtpd_recipient_restrictions="permit_mx_backup", permit_mx_backup_networks="192.0.2.1/24")


@pytest.mark.parametrize(
    ("actions", "why"),
    [({"MX": "IGNORE"}, "DNS reply filter policy"), ({"MX": "WRONG"}, "Host not found, try again")],
)
async def test_exchangers_that_a_filter_takes_away_are_not_known(world, new_session, dropping, actions, why):
    here = world()
    here.resolver.records["backup.test", "MX"] = SECOND
    there = world(
        resolver=dropping(here.resolver, Log(here.sink), **actions),
        smtpd_relay_restrictions="permit_mx_backup, reject_unauth_destination",
    )
    reply = await there.policy.recipient(new_session(), "u@backup.test")
    assert reply.line() == (
        DOUBT.format("backup.test") + f"Unable to look up mail exchanger information: {why}"
    )


async def test_addresses_of_exchangers_are_not_filtered(world, new_session, dropping):
    here = world()
    here.resolver.records = {("backup.test", "MX"): SECOND, FIRST[:2]: (FIRST[2],)}
    there = world(
        resolver=dropping(here.resolver, Log(here.sink), A="IGNORE"),
        smtpd_relay_restrictions="permit_mx_backup, reject_unauth_destination",
    )
    there.router.classes["mx.test"] = AddressClass.LOCAL
    assert await there.policy.recipient(new_session(), "u@backup.test") is None
