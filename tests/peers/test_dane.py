"""TLSA records through a resolver that really validates."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Iterator

import pytest

from peers.certificates import Authority
from peers.dnssec import validated
from peers.harness import Postroad, a_place, message
from postroad.base.clock import SystemClock
from postroad.base.errors import LookupUnavailable
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.net.dane import DaneLookup, DaneState, Tlsa, read_digests
from postroad.net.hostsfile import HostsFile
from postroad.net.interfaces import OwnAddresses
from postroad.net.mailhosts import Host, MailHosts, NoHosts
from postroad.net.params import TLS_DANE_DIGESTS
from postroad.net.params import params as net_params
from postroad.net.resolver import open_resolver

pytestmark = pytest.mark.peer

DIGEST = hashlib.sha256(b"a key").digest()
TLSA = f"TLSA 3 1 1 {DIGEST.hex()}"
SIGNED = f"""\
@ MX 10 mx
mx A 127.0.0.1
_25._tcp.mx {TLSA}
bare A 127.0.0.1
_2525._tcp.bare {TLSA}
none A 127.0.0.1
named MX 10 alias
alias CNAME mx
own CNAME none
_25._tcp.own {TLSA}
away MX 10 abroad
abroad CNAME mx.plain.test.
_25._tcp.abroad {TLSA}
other MX 10 mx.plain.test.
broken MX 10 mx.bogus.test.
wild A 127.0.0.1
_25._tcp.wild CNAME _dane.mx
_dane.mx {TLSA}
"""
PLAIN = f"@ MX 10 mx.signed.test.\nmx A 127.0.0.1\n_25._tcp.mx {TLSA}\n"
BOGUS = f"@ MX 10 mx\nmx A 127.0.0.1\n_25._tcp.mx {TLSA}\n"
_CLIENT = """\
resolver_addresses = {dns}
virtual_mailbox_domains =
smtp_dns_support_level = dnssec
smtp_host_lookup = dns
smtp_tls_security_level = dane
smtp_tls_loglevel = 1
transport_maps = inline:{{ {{good.example.org=smtp:[good.signed.test]:{port}}},
    {{bad.example.org=smtp:[bad.signed.test]:{port}}},
    {{odd.example.org=smtp:[odd.signed.test]:{port}}},
    {{none.example.org=only:[none.signed.test]:{port}}} }}
"""


@pytest.fixture(scope="module")
def dns() -> Iterator[str]:
    zones = {"signed.test": SIGNED, "bogus.test": BOGUS}
    with a_place() as place, validated(place, zones, {"plain.test": PLAIN}, bogus=["bogus.test"]) as server:
        yield server


class Found:
    """What is found for a next hop: its first host, and the records of that."""

    def __init__(self, dns: str, nexthop: str, level: str = "dnssec", *, force: bool = False) -> None:
        self.settings = settings_of(
            [model_params, net_params],
            resolver_addresses=dns,
            smtp_dns_support_level=level,
            smtp_host_lookup="dns",
            inet_protocols="ipv4",
            compatibility_level="3.6",
        )
        asyncio.run(self._find(nexthop, force=force))

    async def _find(self, nexthop: str, *, force: bool) -> None:
        resolver = open_resolver(self.settings)
        log = Log(ListSink())
        find = MailHosts(
            self.settings,
            resolver,
            OwnAddresses([]),
            HostsFile(SystemClock()),
            log,
            rng=random.Random(1),
        )
        self.host = (await find(nexthop))[0]
        lookup = DaneLookup(resolver, read_digests(self.settings[TLS_DANE_DIGESTS]), log)
        self.dane = await lookup.find(self.host, force=force)


def test_records_of_a_signed_host_behind_signed_mx_records(dns):
    found = Found(dns, "signed.test")
    assert found.host.secure_mx
    assert found.host.secure
    assert found.dane.state is DaneState.USABLE
    assert found.dane.records == (Tlsa(3, 1, 1, DIGEST),)
    assert found.dane.base == "mx.signed.test"
    assert found.dane.authenticated


def test_a_host_named_by_the_next_hop_and_its_port(dns):
    found = Found(dns, "[bare.signed.test]:2525")
    assert found.dane.state is DaneState.USABLE
    assert found.dane.authenticated
    assert Found(dns, "[bare.signed.test]:25").dane.state is DaneState.NONE


def test_a_signed_zone_without_records_says_so(dns):
    assert Found(dns, "[none.signed.test]").dane.state is DaneState.NONE


def test_an_unsigned_zones_records_do_not_count(dns):
    found = Found(dns, "other.signed.test")
    assert found.host.secure_mx
    assert not found.host.secure
    assert found.dane.state is DaneState.INSECURE
    assert Found(dns, "other.signed.test", force=True).dane.state is DaneState.NONE


def test_unsigned_mx_records_are_noted(dns):
    found = Found(dns, "plain.test")
    assert not found.host.secure_mx
    assert found.host.secure
    assert found.dane.state is DaneState.USABLE
    assert not found.dane.authenticated


def test_the_end_of_aliases_comes_first_and_then_the_alias(dns):
    found = Found(dns, "named.signed.test")
    assert found.host.name == "alias.signed.test"
    assert found.host.canonical == "mx.signed.test"
    assert found.dane.base == "mx.signed.test"
    assert Found(dns, "[own.signed.test]").dane.base == "own.signed.test"


def test_a_signed_alias_of_an_unsigned_host_has_records_of_its_own(dns):
    found = Found(dns, "away.signed.test")
    assert not found.host.secure
    assert found.dane.state is DaneState.USABLE
    assert found.dane.base == "abroad.signed.test"


def test_the_records_themselves_may_be_an_alias(dns):
    found = Found(dns, "[wild.signed.test]")
    assert found.dane.state is DaneState.USABLE
    assert found.dane.base == "wild.signed.test"


def test_a_bogus_zone_cannot_be_looked_at(dns):
    for nexthop in ("bogus.test", "broken.signed.test"):
        with pytest.raises(NoHosts, match="Host not found, try again") as error:
            Found(dns, nexthop)
        assert error.value.status == "4.4.3"


def test_bogus_records_defer(dns):
    async def ask() -> None:
        settings = settings_of([model_params, net_params], resolver_addresses=dns, compatibility_level="3.6")
        lookup = DaneLookup(open_resolver(settings), ("sha256",), Log(ListSink()))
        await lookup.find(Host("mx.bogus.test", "127.0.0.1", 25, secure_mx=True, secure=True))

    with pytest.raises(LookupUnavailable, match="TLSA lookup error for mx.bogus.test:25"):
        asyncio.run(ask())


def test_below_the_level_dnssec_nothing_is_secure(dns):
    found = Found(dns, "signed.test", level="enabled")
    assert not found.host.secure_mx
    assert not found.host.secure
    assert found.dane.state is DaneState.INSECURE


# --- mail


def test_mail_goes_where_the_records_fit_and_waits_where_they_do_not(place):
    pair = Authority().issue("elsewhere.test")  # the name does not count for DANE-EE
    pair.write(place, "server")
    good = hashlib.sha256(pair.public_key_der).hexdigest()
    main = f"smtpd_tls_cert_file = {place}/server.pem\nsmtpd_tls_key_file = {place}/server.key\n"
    with Postroad(place, name="mx", main=main + "smtpd_tls_security_level = may\n") as server:
        zone = "\n".join(
            f"{name} A 127.0.0.1\n{record}"
            for name, record in (
                ("good", f"_{server.port}._tcp.good TLSA 3 1 1 {good}"),
                ("bad", f"_{server.port}._tcp.bad TLSA 3 1 1 {'00' * 32}"),
                ("odd", f"_{server.port}._tcp.odd TLSA 1 1 1 {'00' * 32}"),
                ("none", ""),
            )
        )
        with (
            validated(place, {"signed.test": zone}) as dns,
            Postroad(
                place,
                name="client",
                main=_CLIENT.format(dns=dns, port=server.port),
                master="only unix - - n - - smtp -o smtp_tls_security_level=dane-only\n",
            ) as client,
        ):
            for name in ("good", "bad", "odd", "none"):
                client.send("a@x.test", f"alice@{name}.example.org", message())
            lines = {}
            for name in ("good", "bad", "odd", "none"):
                (lines[name], *_) = client.wait_log(f"to=<alice@{name}.example.org>.*status=")
            log = client.log()
    assert "status=deferred (Server certificate not verified)" in lines["bad"]
    assert "dsn=4.7.5" in lines["bad"]
    assert re.search(r"Verified TLS connection established to good\.signed\.test\[", log)
    assert re.search(r"(Anonymous|Untrusted) TLS connection established to odd\.signed\.test\[", log)
    for name in ("good", "odd"):
        assert "status=sent" in lines[name]
    assert "status=deferred (no TLSA records found)" in lines["none"]
