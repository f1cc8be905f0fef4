"""Signed zones: an NSD that serves them and an Unbound that validates, for DANE."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from peers.harness import free_port
from peers.programs import nsd, running

_UNBOUND = """\
server:
    directory: "{place}"
    chroot: ""
    username: ""
    pidfile: "{place}/unbound.pid"
    interface: 127.0.0.1@{port}
    do-daemonize: no
    use-syslog: no
    num-threads: 1
    do-ip6: no
    do-not-query-localhost: no
    module-config: "validator iterator"
    local-zone: "test." nodefault
{anchors}
remote-control:
    control-enable: no
{stubs}
"""


@contextlib.contextmanager
def validated(place: Path, signed: dict[str, str], plain: dict[str, str] | None = None, *, bogus: Collection[str] = ()) -> Iterator[str]:  # fmt: skip
    """Serve zones (name: records, one a line) through a validating resolver.

    Yields a value for ``resolver_addresses``.  Zones in ``bogus`` are signed with a key that nobody trusts.
    """
    zones = dict(plain or {})
    anchors = []
    for zone, records in signed.items():
        zones[zone], anchor = _sign(zone, records)
        anchors.append(_sign(zone, records)[1] if zone in bogus else anchor)
    with nsd(place, zones) as server:
        upstream = server.replace("[127.0.0.1]:", "127.0.0.1@")
        home = place / "unbound"
        home.mkdir()
        port = free_port()
        text = _UNBOUND.format(
            place=home,
            port=port,
            anchors="\n".join(f'    trust-anchor: "{anchor}"' for anchor in anchors),
            stubs="\n".join(f'stub-zone:\n    name: "{zone}"\n    stub-addr: {upstream}' for zone in zones),
        )
        (home / "unbound.conf").write_text(text)
        with running(
            ["unbound", "-d", "-p", "-c", str(home / "unbound.conf")], ("127.0.0.1", port), home / "out"
        ):
            yield f"[127.0.0.1]:{port}"


def _sign(zone: str, records: str) -> tuple[str, str]:
    """Return what ``nsd`` is to be given for a signed zone, and the key to trust."""
    soa = f"@ 60 SOA ns.{zone}. root.{zone}. 1 3600 600 86400 1\n@ 60 NS ns.{zone}.\nns 60 A 127.0.0.1\n"
    made = dns.zone.from_text(soa + f"$TTL 60\n{records}\n", zone, relativize=False)
    private = ec.generate_private_key(ec.SECP256R1())
    key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    dns.dnssec.sign_zone(made, keys=[(private, key)], lifetime=86400)
    apex, ours = made.origin, dns.name.from_text(f"ns.{zone}")
    lines = [
        f"{name} {ttl} {rdata.rdtype.name} {rdata}"
        for name, ttl, rdata in made.iterate_rdatas()
        if not (name == apex and rdata.rdtype in (dns.rdatatype.SOA, dns.rdatatype.NS))
        and not (name == ours and rdata.rdtype == dns.rdatatype.A)  # which nsd() writes itself
    ]
    return "\n".join(lines), f"{zone}. DNSKEY {key}"
