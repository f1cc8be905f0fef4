"""A client is called by its name only if the name leads back."""

from __future__ import annotations

import dns.rcode
import pytest

from postroad.base import tasks
from postroad.base.log import ListSink, Log
from postroad.model.client import Client
from postroad.net.hostsfile import HostsFile
from postroad.net.peername import identify


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def who(resolver, clock, tmp_path, sink):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n192.0.2.77 forged\n192.0.2.78 forged\n")
    hosts = HostsFile(clock, str(tmp_path / "hosts"))

    async def who(address):
        client = Client(address)
        await identify(client, resolver, hosts, Log(sink))
        return client.name, client.name_code, client.reverse_name, client.reverse_name_code

    return who


async def test_a_name_that_leads_back_is_the_clients(stub, who, sink):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = ["60 PTR h.example."]
    stub.zone["h.example", "A"] = ["60 A 192.0.2.9", "60 A 192.0.2.1"]
    assert await who("192.0.2.1") == ("h.example", 2, "h.example", 2)
    assert await who("::ffff:192.0.2.1") == ("h.example", 2, "h.example", 2)
    assert sink.lines == []


async def test_an_ipv6_client_is_verified_by_aaaa(stub, who):
    stub.zone["1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR"] = ["60 PTR h.example."]
    stub.zone["h.example", "AAAA"] = ["60 AAAA 2001:db8::1"]
    assert await who("2001:db8::1") == ("h.example", 2, "h.example", 2)


async def test_no_name_is_unknown(who, sink):
    assert await who("192.0.2.1") == ("unknown", 5, "unknown", 5)
    assert sink.lines == []


@pytest.mark.parametrize(
    ("records", "code", "reason"),
    [
        (["60 A 192.0.2.9"], 5, ""),
        (None, 5, ": Name or service not known"),
        (int(dns.rcode.SERVFAIL), 4, ": Temporary failure in name resolution"),
    ],
)
async def test_a_name_that_does_not_lead_back_is_reported(stub, who, sink, records, code, reason):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = ["60 PTR h.example."]
    if records:
        stub.zone["h.example", "A"] = records
    assert await who("192.0.2.1") == ("unknown", code, "h.example", 2)
    assert sink.lines == [f"smtpd: warning: hostname h.example does not resolve to address 192.0.2.1{reason}"]


async def test_a_name_without_addresses_is_reported(stub, who, sink):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = ["60 PTR h.example."]
    stub.zone["h.example", "MX"] = ["60 MX 1 x.example."]
    assert (await who("192.0.2.1"))[:2] == ("unknown", 5)
    assert sink.lines[0].endswith(": No address associated with hostname")


async def test_a_resolver_that_is_down_is_a_temporary_matter(stub, who):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = int(dns.rcode.SERVFAIL)
    assert await who("192.0.2.1") == ("unknown", 4, "unknown", 4)


@pytest.mark.parametrize("name", ["127.0.0.1.", r"a\010b.example.", r"a\032b.", "-x.example.", "5.6.7."])
async def test_a_name_that_is_no_host_name_is_not_taken(stub, who, sink, name):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = [f"60 PTR {name}"]
    assert await who("192.0.2.1") == ("unknown", 5, "unknown", 5)
    assert len(sink.lines) == 1
    assert "in resource data of PTR record for 192.0.2.1: " in sink.lines[0]


async def test_the_hosts_file_is_asked_before_the_dns(stub, who, sink):
    assert await who("127.0.0.1") == ("localhost", 2, "localhost", 2)
    assert await who("192.0.2.78") == ("forged", 2, "forged", 2)
    assert stub.asked == []


async def test_a_known_client_does_not_wait(stub, who):
    stub.zone["1.2.0.192.in-addr.arpa", "PTR"] = ["60 PTR h.example."]
    stub.zone["h.example", "A"] = ["60 A 192.0.2.1"]
    await who("192.0.2.1")
    got = []
    assert tasks.start(who("192.0.2.1"), lambda *ended: got.append(ended))
    assert got == [(("h.example", 2, "h.example", 2), None)]
