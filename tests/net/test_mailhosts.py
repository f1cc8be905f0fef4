"""Next hops become hosts, in order, or a reason."""

from __future__ import annotations

import random

import dns.rcode
import pytest

from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.filtered import FilteredResolver
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import OwnAddresses
from postroad.net.mailhosts import Host, MailHosts, NoHosts, balanced
from postroad.net.params import params as net_params

SERVFAIL = int(dns.rcode.SERVFAIL)
TRY_AGAIN = "Host or domain name not found. Name service error for name={} type={}: Host not found, try again"


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def make(stub, resolver, clock, tmp_path, sink):
    (tmp_path / "hosts").write_text("192.0.2.50 native.example\n")

    def make(program="smtp", resolver=resolver, **texts):
        texts = {"append_dot_mydomain": "no", "smtputf8_enable": "no", "inet_protocols": "ipv4, ipv6"} | texts
        return MailHosts(
            settings_of([model_params, net_params], **texts),
            resolver,
            OwnAddresses(["192.0.2.25", "127.0.0.1", "2001:db8::25"], everything=True),
            HostsFile(clock, str(tmp_path / "hosts")),
            Log(sink),
            rng=random.Random(7),
            program=program,
        )

    return make


def addresses(hosts):
    return [host.address for host in hosts]


async def refused(finding):
    with pytest.raises(NoHosts) as error:
        await finding
    return error.value.status, error.value.text


async def test_mail_hosts_are_tried_by_preference(stub, make):
    stub.zone["x.example", "MX"] = ["60 MX 20 b.x.example.", "60 MX 10 a.x.example."]
    stub.zone["a.x.example", "A"] = ["60 A 192.0.2.1"]
    stub.zone["b.x.example", "A"] = ["60 A 192.0.2.2"]
    stub.zone["b.x.example", "AAAA"] = ["60 AAAA 2001:db8::2"]
    hosts = await make()("x.example")
    assert hosts[0] == Host("a.x.example", "192.0.2.1", 25, 10)
    assert sorted(addresses(hosts[1:])) == ["192.0.2.2", "2001:db8::2"]
    assert {host.preference for host in hosts[1:]} == {20}


async def test_hosts_of_equal_preference_are_shuffled_unless_that_is_off(stub, make):
    stub.zone["x.example", "MX"] = [f"60 MX 10 m{n}.example." for n in range(5)]
    for n in range(5):
        stub.zone[f"m{n}.example", "A"] = [f"60 A 192.0.2.{n}"]
    find = make()
    assert len({tuple(addresses(await find("x.example"))) for _ in range(10)}) > 5
    fixed = make(smtp_randomize_addresses="no")
    assert addresses(await fixed("x.example")) == [f"192.0.2.{n}" for n in range(5)]


async def test_the_preferred_family_comes_first_among_equals(stub, make):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1", "60 A 192.0.2.2"]
    stub.zone["x.example", "AAAA"] = ["60 AAAA 2001:db8::1"]
    six = addresses(await make(smtp_address_preference="ipv6")("x.example"))
    assert six[0] == "2001:db8::1"
    four = addresses(await make(smtp_address_preference="ipv4")("x.example"))
    assert four[2] == "2001:db8::1"


async def test_without_mx_the_domain_is_the_host(stub, make):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    assert await make()("x.example:2525") == [Host("x.example", "192.0.2.1", 2525)]


async def test_brackets_and_ports_and_addresses_are_taken_as_they_are(stub, make):
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    stub.zone["x.example", "MX"] = ["60 MX 10 elsewhere.example."]
    find = make()
    assert await find("[x.example]:587") == [Host("x.example", "192.0.2.1", 587)]
    assert await find("[192.0.2.7]:26") == [Host("192.0.2.7", "192.0.2.7", 26)]
    assert await find("192.0.2.7") == [Host("192.0.2.7", "192.0.2.7", 25)]
    assert await find("[IPv6:2001:db8::7]") == [Host("IPv6:2001:db8::7", "2001:db8::7", 25)]


async def test_a_domain_that_takes_no_mail_is_refused_for_good(stub, make):
    stub.zone["x.example", "MX"] = ["60 MX 0 ."]
    assert await refused(make()("x.example")) == ("5.1.0", "Domain x.example does not accept mail (nullMX)")


async def test_a_domain_that_does_not_exist_is_refused_for_good(make):
    text = "Host or domain name not found. Name service error for name=x.example type=AAAA: Host not found"
    assert await refused(make()("x.example")) == ("5.4.4", text)
    text = text.replace("AAAA", "A")
    assert await refused(make(inet_protocols="ipv4")("x.example")) == ("5.4.4", text)


async def test_a_domain_without_addresses_is_refused_for_good(stub, make):
    stub.zone["x.example", "TXT"] = ["60 TXT x"]
    text = (
        "Host or domain name not found. Name service error for name=x.example type=A:"
        " Host found but no data record of requested type"
    )
    assert await refused(make(inet_protocols="ipv4")("x.example")) == ("5.4.4", text)


async def test_a_failed_mx_look_up_defers(stub, make):
    stub.zone["x.example", "MX"] = SERVFAIL
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    assert await refused(make()("x.example")) == ("4.4.3", TRY_AGAIN.format("x.example", "MX"))
    assert addresses(await make(ignore_mx_lookup_error="yes")("x.example")) == ["192.0.2.1"]


async def test_a_failed_address_look_up_of_the_only_mx_defers(stub, make, sink):
    stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example."]
    stub.zone["a.x.example", "A"] = SERVFAIL
    stub.zone["a.x.example", "AAAA"] = SERVFAIL
    assert await refused(make()("x.example")) == ("4.4.3", TRY_AGAIN.format("a.x.example", "AAAA"))
    assert sink.lines == ["smtp: warning: no MX host for x.example has a valid address record"]


async def test_a_soft_error_outlives_a_hard_one(stub, make):
    stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example.", "60 MX 20 b.x.example."]
    stub.zone["a.x.example", "A"] = SERVFAIL
    assert (await refused(make()("x.example")))[0] == "4.4.4"


async def test_one_working_host_makes_up_for_the_others(stub, make):
    stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example.", "60 MX 20 b.x.example."]
    stub.zone["a.x.example", "A"] = SERVFAIL
    stub.zone["b.x.example", "A"] = ["60 A 192.0.2.2"]
    assert addresses(await make()("x.example")) == ["192.0.2.2"]


async def test_mx_hosts_without_address_bounce_unless_told_to_wait(stub, make):
    stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example."]
    assert (await refused(make()("x.example")))[0] == "5.4.4"
    assert (await refused(make(smtp_defer_if_no_mx_address_found="yes")("x.example")))[0] == "4.4.4"


async def test_a_mail_host_that_is_no_host_name_is_passed_over(stub, make):
    stub.zone["x.example", "MX"] = [r"60 MX 10 a\032b.example.", "60 MX 20 b.example."]
    stub.zone["b.example", "A"] = ["60 A 192.0.2.2"]
    assert addresses(await make()("x.example")) == ["192.0.2.2"]
    stub.zone["y.example", "MX"] = [r"60 MX 10 a\032b.example."]
    status, text = await refused(make()("y.example"))
    assert status == "5.4.4"
    assert text.endswith("type=MX: Malformed or unexpected name server reply")


class TestLoops:
    """Mail is never sent to ourselves, nor to hosts that would send it back."""

    @pytest.mark.parametrize("address", ["192.0.2.25", "127.0.0.1", "127.9.9.9", "0.0.0.0"])
    async def test_mail_for_ourselves_is_a_loop(self, stub, make, address):
        stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example."]
        stub.zone["a.x.example", "A"] = [f"60 A {address}"]
        loop = ("5.4.6", "mail for x.example loops back to myself")
        assert await refused(make()("x.example")) == loop
        stub.zone["y.example", "A"] = [f"60 A {address}"]
        assert (await refused(make()("y.example")))[0] == "5.4.6"

    async def test_an_ipv6_address_of_our_own_is_a_loop(self, stub, make):
        stub.zone["x.example", "AAAA"] = ["60 AAAA ::"]
        stub.zone["y.example", "AAAA"] = ["60 AAAA 2001:db8::25"]
        for name in ("x.example", "y.example"):
            assert (await refused(make()(name)))[0] == "5.4.6"

    async def test_only_better_hosts_than_ourselves_are_tried(self, stub, make):
        stub.zone["x.example", "MX"] = [f"60 MX {n}0 m{n}.example." for n in (1, 2, 3)]
        stub.zone["m1.example", "A"] = ["60 A 192.0.2.1"]
        stub.zone["m2.example", "A"] = ["60 A 192.0.2.25", "60 A 192.0.2.2"]
        stub.zone["m3.example", "A"] = ["60 A 192.0.2.3"]
        assert addresses(await make()("x.example")) == ["192.0.2.1"]

    async def test_a_backup_that_cannot_see_the_primary_waits(self, stub, make):
        stub.zone["x.example", "MX"] = ["60 MX 10 m1.example.", "60 MX 20 m2.example."]
        stub.zone["m2.example", "A"] = ["60 A 192.0.2.25"]
        assert await refused(make()("x.example")) == ("4.4.4", "unable to find primary relay for x.example")

    async def test_another_port_is_no_loop(self, stub, make):
        stub.zone["x.example", "A"] = ["60 A 127.0.0.1"]
        assert addresses(await make()("x.example:10025")) == ["127.0.0.1"]
        assert (await refused(make()("[x.example]:25")))[0] == "5.4.6"

    async def test_lmtp_to_ourselves_is_no_loop(self, stub, make):
        stub.zone["x.example", "A"] = ["60 A 127.0.0.1"]
        assert await make("lmtp")("x.example") == [Host("x.example", "127.0.0.1", 24)]

    async def test_best_mx_transport_takes_the_mail(self, stub, make):
        stub.zone["x.example", "A"] = ["60 A 127.0.0.1"]
        with pytest.raises(NoHosts) as error:
            await make(best_mx_transport="local")("x.example")
        assert (error.value.loop, error.value.transport) == (True, "local")

    async def test_a_relay_host_that_is_ourselves_keeps_the_mail(self, stub, make, sink):
        stub.zone["x.example", "A"] = ["60 A 127.0.0.1"]
        assert (await refused(make(relayhost="x.example")("x.example")))[0] == "4.3.5"
        assert sink.lines == ["smtp: warning: relayhost configuration problem"]


async def test_several_next_hops_are_tried_in_turn(stub, make):
    stub.zone["a.example", "A"] = ["60 A 192.0.2.1"]
    stub.zone["b.example", "A"] = ["60 A 192.0.2.2"]
    hosts = await make()("a.example, [b.example]:26")
    assert [(host.address, host.port, host.site) for host in hosts] == [
        ("192.0.2.1", 25, 0),
        ("192.0.2.2", 26, 1),
    ]
    assert addresses(await make()("missing.example b.example")) == ["192.0.2.2"]
    assert (await refused(make()("missing.example, gone.example")))[0] == "5.4.4"


async def test_behind_a_loop_no_further_next_hop_is_tried(stub, make):
    stub.zone["a.example", "A"] = ["60 A 127.0.0.1"]
    stub.zone["b.example", "A"] = ["60 A 192.0.2.2"]
    assert (await refused(make()("a.example b.example")))[0] == "5.4.6"


async def test_the_list_is_cut_to_the_limit(stub, make):
    stub.zone["x.example", "A"] = [f"60 A 192.0.2.{n}" for n in range(1, 20)]
    assert len(await make()("x.example")) == 5
    assert len(await make(smtp_mx_address_limit="2")("x.example")) == 2
    assert len(await make(smtp_mx_address_limit="0")("x.example")) == 19


async def test_a_hundred_mail_hosts_cost_a_bounded_number_of_questions(stub, make):
    stub.zone["x.example", "MX"] = [f"60 MX 10 m{n}.example." for n in range(100)]
    with pytest.raises(NoHosts):
        await make()("x.example")
    assert len(stub.asked) <= 50


async def test_mail_hosts_are_looked_up_at_the_same_time(stub, make, monkeypatch):
    monkeypatch.setattr("postroad.net.resolver._TOTAL", 0.08)
    stub.zone["x.example", "MX"] = [f"60 MX 10 m{n}.example." for n in range(10)]
    for n in range(10):
        stub.zone[f"m{n}.example", "A"] = lambda _query, _tcp: []
        stub.zone[f"m{n}.example", "AAAA"] = lambda _query, _tcp: []
    assert (await refused(make()("x.example")))[0] == "4.4.3"


async def test_the_hosts_file_serves_native_look_ups_only(stub, make):
    assert (await refused(make()("native.example")))[0] == "5.4.4"
    for setting in ("native", "dns, native"):
        assert addresses(await make(smtp_host_lookup=setting)("[native.example]")) == ["192.0.2.50"]
    stub.zone["x.example", "A"] = ["60 A 192.0.2.1"]
    assert addresses(await make(smtp_host_lookup="native")("[x.example]")) == ["192.0.2.1"]
    assert await refused(make(smtp_host_lookup="native")("[gone.example]")) == (
        "5.4.4",
        "unable to look up host gone.example: Name or service not known",
    )
    stub.zone["bad.example", "A"] = SERVFAIL
    assert await refused(make(smtp_host_lookup="native")("[bad.example]")) == (
        "4.4.4",
        "unable to look up host bad.example: Temporary failure in name resolution",
    )


@pytest.mark.parametrize("how", [{"disable_dns_lookups": "yes"}, {"smtp_dns_support_level": "disabled"}])
async def test_without_the_dns_no_mx_is_looked_up(stub, make, how):
    stub.zone["native.example", "MX"] = ["60 MX 10 a.x.example."]
    assert addresses(await make(**how)("native.example")) == ["192.0.2.50"]


async def test_an_international_domain_is_asked_for_in_ascii(stub, make):
    stub.zone["xn--bcher-kva.example", "MX"] = ["60 MX 10 a.x.example."]
    stub.zone["a.x.example", "A"] = ["60 A 192.0.2.1"]
    assert addresses(await make()("bücher.example")) == ["192.0.2.1"]


@pytest.mark.parametrize("nexthop", ["", " , ", "x:99999", "[x", ":25"])
async def test_a_next_hop_that_cannot_be_read_keeps_the_mail(make, nexthop):
    status, _ = await refused(make()(nexthop))
    assert status.startswith("4")


@pytest.mark.parametrize("domain", ["a..b", "a b", "-x", "x" * 300, "\udcff", "1.2.3"])
async def test_an_impossible_domain_is_refused_without_asking(stub, make, domain):
    status, _ = await refused(make()(f"[{domain}]"))
    assert status == "5.4.4"
    assert stub.asked == []


@pytest.mark.parametrize(
    ("six", "four", "expected"),
    [(10, 1, (4, 1)), (1, 10, (1, 4)), (10, 10, (3, 2)), (2, 3, (2, 3)), (0, 9, (0, 5))],
)
def test_neither_family_crowds_the_other_out(six, four, expected):
    hosts = [Host("x", f"::{n + 1}", 25) for n in range(six)] + [
        Host("x", f"192.0.2.{n}", 25) for n in range(four)
    ]
    kept = balanced(hosts, 5)
    assert (sum(":" in host.address for host in kept), sum("." in host.address for host in kept)) == expected


# --- what is validated (smtp_dns_support_level = dnssec)


@pytest.fixture
def secure(stub, reply):
    """Publish records whose answer is authentic or not; names are written in full."""

    def secure(name, kind, *texts, ad=True):
        stub.zone[name, kind] = lambda query, _tcp: [reply(query, *texts, ad=ad)]

    return secure


@pytest.mark.parametrize("mx", [True, False])
@pytest.mark.parametrize("address", [True, False])
async def test_records_and_addresses_are_validated_each_by_itself(secure, make, mx, address):
    secure("x.example", "MX", "x.example. 60 MX 10 a.x.example.", ad=mx)
    secure("a.x.example", "A", "a.x.example. 60 A 192.0.2.1", ad=address)
    (host,) = await make(smtp_dns_support_level="dnssec")("x.example")
    assert (host.secure_mx, host.secure) == (mx, address)
    assert (host.canonical, host.mx_domain) == ("a.x.example", "x.example")
    (host,) = await make(smtp_dns_support_level="enabled")("x.example")
    assert host == Host("a.x.example", "192.0.2.1", 25, 10)


async def test_one_family_may_be_validated_and_the_other_not(secure, make):
    secure("a.x.example", "A", "a.x.example. 60 A 192.0.2.1", ad=False)
    secure("a.x.example", "AAAA", "a.x.example. 60 AAAA 2001:db8::1")
    hosts = await make(smtp_dns_support_level="dnssec")("[a.x.example]")
    assert {host.address: host.secure for host in hosts} == {"192.0.2.1": False, "2001:db8::1": True}
    assert all(host.secure_mx for host in hosts)  # the next hop names the host itself


async def test_the_ends_of_aliases_are_noted(secure, make):
    secure("x.example", "MX", "x.example. 60 CNAME y.example.", "y.example. 60 MX 10 a.x.example.")
    secure("a.x.example", "A", "a.x.example. 60 CNAME b.x.example.", "b.x.example. 60 A 192.0.2.1")
    (host,) = await make(smtp_dns_support_level="dnssec")("x.example")
    assert (host.name, host.canonical, host.mx_domain) == ("a.x.example", "b.x.example", "y.example")


async def test_a_domain_without_mx_records_names_its_own_host(secure, stub, make):
    secure("x.example", "A", "x.example. 60 A 192.0.2.1")
    (host,) = await make(smtp_dns_support_level="dnssec")("x.example")
    assert (host.secure_mx, host.secure, host.mx_domain) == (True, True, "")


async def test_nothing_vouches_for_a_plain_address_or_the_hosts_file(make):
    find = make(smtp_dns_support_level="dnssec", smtp_host_lookup="dns, native")
    assert not (await find("[192.0.2.7]"))[0].secure
    assert not (await find("[native.example]"))[0].secure


@pytest.fixture
def through(make, sink):
    """Finds hosts through a filter, ``part of a line: action``."""

    def finder(actions, **texts):
        find = make(**texts)

        async def look_up(line):
            return next((action for part, action in actions.items() if part in line), None)

        made = FilteredResolver(
            find._resolver, look_up, parameter="smtp_dns_reply_filter", program="smtp", log=Log(sink)
        )
        return make(resolver=made, **texts)

    return finder


DROPS = "Error looking up name={} type={}: DNS reply filter drops all results"
INVALID = "Error looking up name={} type={}: Invalid DNS reply filter syntax"


@pytest.fixture
def two(stub):
    stub.zone["x.example", "MX"] = ["60 MX 10 a.x.example.", "60 MX 20 gone.example."]
    stub.zone["a.x.example", "A"] = ["60 A 192.0.2.1"]
    stub.zone["a.x.example", "AAAA"] = ["60 AAAA 2001:db8::1"]
    return stub


async def test_ignored_records_lead_nowhere(two, through, sink):
    assert addresses(await through({" A ": "IGNORE"})("x.example")) == ["2001:db8::1"]
    assert "smtp: ignoring DNS RR: a.x.example. 60 IN A 192.0.2.1" in sink.lines
    assert addresses(await through({"MX 20": "IGNORE", "AAAA": "IGNORE"})("x.example")) == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("actions", "nexthop", "status", "text"),
    [
        ({" IN ": "IGNORE"}, "x.example", "4.7.0", DROPS.format("x.example", "MX")),
        ({" IN ": "IGNORE"}, "a.x.example", "4.7.0", DROPS.format("a.x.example", "AAAA")),
        ({" IN ": "WRONG"}, "x.example", "4.4.3", INVALID.format("x.example", "MX")),
        ({" IN ": "WRONG"}, "[a.x.example]", "4.4.3", INVALID.format("a.x.example", "AAAA")),
        ({" A ": "IGNORE", "AAAA": "WRONG"}, "[a.x.example]", "4.7.0", DROPS.format("a.x.example", "A")),
        ({" A ": "WRONG", "AAAA": "IGNORE"}, "[a.x.example]", "4.7.0", DROPS.format("a.x.example", "AAAA")),
        (
            {" A": "IGNORE"},
            "x.example",
            "4.4.4",
            "Host or domain name not found. Name service error for name=gone.example type=AAAA: Host not found",
        ),
    ],
)
async def test_mail_waits_for_what_a_filter_takes_away(two, through, actions, nexthop, status, text):
    assert await refused(through(actions)(nexthop)) == (status, text)


async def test_a_filter_is_no_error_of_the_look_up_to_be_ignored(two, through):
    two.zone["x.example", "A"] = ["60 A 192.0.2.9"]
    dropped = through({" MX ": "IGNORE"}, ignore_mx_lookup_error="yes")
    assert (await refused(dropped("x.example")))[0] == "4.7.0"
    broken = through({" MX ": "WRONG"}, ignore_mx_lookup_error="yes")
    assert addresses(await broken("x.example")) == ["192.0.2.9"]


async def test_a_null_mx_is_not_filtered(stub, through):
    stub.zone["x.example", "MX"] = ["60 MX 0 ."]
    assert (await refused(through({" IN ": "IGNORE"})("x.example")))[0] == "5.1.0"


async def test_the_systems_name_service_has_no_filter(two, through):
    find = through({" A": "IGNORE"}, smtp_host_lookup="native")
    assert sorted(addresses(await find("x.example"))) == ["192.0.2.1", "2001:db8::1"]
    both = through({" A": "IGNORE"}, smtp_host_lookup="dns, native")
    assert (await refused(both("[a.x.example]")))[0] == "4.7.0"
