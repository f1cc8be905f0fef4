"""``postroad tls``: look at other servers' TLS; make keys, certificates and TLSA records."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postroad.base.errors import LookupUnavailable, PostroadError

if TYPE_CHECKING:
    from postroad.admin.tls_finger import Seen
    from postroad.base.params import Settings
    from postroad.net.dane import Dane
    from postroad.net.mailhosts import Host

FAILED, USAGE = 1, 2
_HELP = {"help_option_names": ["-h", "--help"]}
_KEY = click.option("--key", required=True, metavar="FILE", help="The private key, PEM.")
_OUT = click.option("--out", metavar="FILE", help="Where to write it; a file that is there is left alone.")


def run(directory: str | None, args: list[str]) -> int:
    """Run the command: 0 done, 1 failed, 2 wrong usage."""
    try:
        status = _commands.main(args=args, prog_name="postroad tls", standalone_mode=False, obj=directory)
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return 130
    except (PostroadError, ValueError) as error:
        print(f"postroad tls: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"postroad tls: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    return int(status or 0)


@click.group(context_settings=_HELP)
def _commands() -> None:
    """Look at other servers' TLS; make keys, certificates and TLSA records."""


# --- keys and certificates


@_commands.command("new-key", context_settings=_HELP)
@click.option("--rsa", is_flag=True, help="RSA instead of ECDSA with P-256.")
@click.option("--bits", type=click.IntRange(2048, 8192), default=3072, show_default=True, help="Of RSA.")
@_OUT
def _new_key(*, rsa: bool, bits: int, out: str | None) -> None:
    """Make a private key."""
    from postroad.admin.tls_keys import new_key

    _write(new_key(bits if rsa else 0), out)


@_commands.command("csr", context_settings=_HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_KEY
@_OUT
def _csr(*, names: tuple[str, ...], key: str, out: str | None) -> None:
    """Make a request for a certificate with these host names."""
    from postroad.admin.tls_keys import read_key, request

    _write(request(read_key(Path(key).read_bytes()), names), out)


@_commands.command("self-signed", context_settings=_HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_KEY
@click.option("--days", type=click.IntRange(1, 36500), default=3650, show_default=True)
@_OUT
def _self_signed(*, names: tuple[str, ...], key: str, days: int, out: str | None) -> None:
    """Make a certificate that the key signs for itself: for DANE, and for servers that only encrypt."""
    from postroad.admin.tls_keys import read_key, self_signed
    from postroad.base.clock import SystemClock

    _write(self_signed(read_key(Path(key).read_bytes()), names, days, SystemClock.now()), out)


@_commands.command("tlsa", context_settings=_HELP)
@click.argument("file", metavar="FILE")
@click.option("--host", multiple=True, metavar="NAME", help="The MX host; else the certificate's names.")
@click.option("--port", type=click.IntRange(1, 65535), default=25, show_default=True)
@click.option("--usage", type=click.IntRange(2, 3), default=3, show_default=True, help="2: an authority's.")
@click.option("--selector", type=click.IntRange(0, 1), default=1, show_default=True, help="1: the key alone.")
@click.option("--matching", type=click.IntRange(0, 2), default=1, show_default=True, help="1: SHA-256.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def _tlsa(*, file: str, host: tuple[str, ...], port: int, as_json: bool, **values: int) -> None:
    """Print the TLSA records for a certificate or key in PEM."""
    from postroad.admin.tls_keys import first_certificate, host_names, tlsa

    pem = Path(file).read_bytes()
    data = tlsa(pem, **values)
    certificate = first_certificate(pem)
    names = list(host) or ([] if certificate is None else host_names(certificate))
    if not names:
        raise click.UsageError(f"{file} names no host: --host")
    records = [f"_{port}._tcp.{name.rstrip('.')}. IN TLSA {data}" for name in names]
    print(json.dumps({"records": records}) if as_json else "\n".join(records))


def _write(content: bytes, out: str | None) -> None:
    from postroad.admin.tls_keys import write_private

    if out is None:
        sys.stdout.write(content.decode("ascii"))
        return
    write_private(out, content)
    if b"PRIVATE KEY" not in content:
        os.chmod(out, 0o644)  # noqa: PTH101 - anybody may see a certificate


# --- looking at servers


@_commands.command("finger", context_settings=_HELP)
@click.argument("destination")
@click.option("--wrapper", is_flag=True, help="TLS from the first byte (port 465).")
@click.option("--ca", metavar="FILE", help="Authorities to trust besides the system's, PEM.")
@click.option("--name", metavar="NAME", help="Ours, for EHLO; by default $myhostname.")
@click.option(
    "--timeout", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, metavar="SECONDS"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def _finger(directory: str | None, /, *, destination: str, as_json: bool, **values: Any) -> int:
    """Shake hands with a server as the SMTP client would, and say what it shows.

    DESTINATION is a next hop as in main.cf: a domain (its first MX host that answers), [host], or either with
    :port.  Nothing is sent.
    """
    from postroad.admin.dialogue import NoServer
    from postroad.admin.tls_finger import finger
    from postroad.model.params import MYHOSTNAME
    from postroad.net.destination import parse_destination

    settings = _settings(directory or "/etc/postfix")
    nexthop = parse_destination(destination)[0]
    authorities = _authorities(values["ca"])
    reasons = []
    for host, dane, why in asyncio.run(_hosts(settings, destination)):
        try:
            seen = finger(
                host,
                nexthop,
                dane,
                settings,
                authorities,
                name=values["name"] or settings[MYHOSTNAME],
                wrapper=values["wrapper"],
                timeout=values["timeout"],
            )
        except NoServer as error:
            reasons.append(str(error))
            continue
        except PostroadError as error:
            raise PostroadError(f"{_relay(host)}: {error}") from None
        print(json.dumps(_as_values(seen, dane, why)) if as_json else _as_text(seen, dane, why))
        return 0
    raise PostroadError("; ".join(reasons))


def _settings(directory: str) -> Settings:
    """Return the SMTP client's settings, with answers of the DNS validated whatever they say."""
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load_texts

    main = Path(directory, "main.cf")
    text = main.read_text("utf-8", "surrogateescape") if main.is_file() else ""
    facts = find_facts(directory)
    return load_texts(f"{text}\nsmtp_dns_support_level = dnssec\n", "", directory, registry(), facts).settings


def _authorities(file: str | None) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from postroad.net.tls.verify_chain import Authorities

    found = x509.load_pem_x509_certificates(Path(file).read_bytes()) if file else []
    return Authorities([each.public_bytes(Encoding.DER) for each in found], system=True)


async def _hosts(settings: Settings, destination: str) -> list[tuple[Host, Dane | None, str]]:
    """Return the hosts of a next hop, each with its TLSA records, or why nobody could look."""
    import random

    from postroad.app.dnsfilter import filtered
    from postroad.base.clock import SystemClock
    from postroad.base.log import Log, Sink
    from postroad.net.dane import DaneLookup, read_digests
    from postroad.net.hostsfile import HostsFile
    from postroad.net.interfaces import OwnAddresses
    from postroad.net.mailhosts import MailHosts, NoHosts
    from postroad.net.params import TLS_DANE_DIGESTS
    from postroad.net.resolver import open_resolver
    from postroad.tables.context import TableContext

    clock, log = SystemClock(), Log(Sink())
    tables = TableContext(texts=settings.texts)
    resolver = filtered(open_resolver(settings, clock), settings, "smtp", tables, log)
    find = MailHosts(settings, resolver, OwnAddresses([]), HostsFile(clock), log, rng=random.Random())  # noqa: S311
    try:
        hosts = await find(destination)
    except NoHosts as error:
        raise PostroadError(error.text) from None
    digests = settings[TLS_DANE_DIGESTS]
    lookup = DaneLookup(resolver, read_digests(digests), log)
    found: list[tuple[Host, Dane | None, str]] = []
    for host in hosts:
        try:
            found.append((host, await lookup.find(host), ""))
        except LookupUnavailable as error:
            found.append((host, None, str(error)))
    return found


def _relay(host: Host) -> str:
    return f"{host.name}[{host.address}]:{host.port}"


def _as_values(seen: Seen, dane: Dane | None, why: str) -> dict[str, Any]:
    """Return everything, for JSON."""
    from dataclasses import asdict

    facts = {name: value for name, value in asdict(seen.facts).items() if name not in ("peer", "trust")}
    return {
        "host": seen.host.name,
        "address": seen.host.address,
        "port": seen.host.port,
        "tls": facts,
        "certificates": [asdict(each) for each in seen.certificates],
        "dane": {
            "state": dane.state.name.lower() if dane is not None else "unknown",
            "error": why,
            "base": dane.base if dane is not None else "",
            "records": _records(dane),
            "matches": list(seen.matching),
            "secure_mx": seen.host.secure_mx,
        },
        "levels": {
            name: {"sends": verdict.matched, "trust": verdict.trust, "why": _why(verdict.fault, seen.host)}
            for name, verdict in seen.levels.items()
        },
    }


def _as_text(seen: Seen, dane: Dane | None, why: str) -> str:
    lines = [_relay(seen.host), f"  {seen.facts.describe()}"]
    for number, each in enumerate(seen.certificates):
        lines.append(f"  certificate {number}: {each.subject}")
        lines.append(f"    issuer      {each.issuer}")
        if each.names:
            lines.append(f"    names       {', '.join(each.names)}")
        lines.append(f"    valid       {each.begins} to {each.ends}")
        lines.append(f"    sha256      {each.fingerprint}")
        lines.append(f"    key sha256  {each.key_fingerprint}")
    words = {
        "USABLE": "records found",
        "UNUSABLE": "records found, and none that can be used",
        "NONE": "no records",
        "INSECURE": "not for this host: its zone is not signed, or the resolver does not validate",
    }
    lines.append(f"  DANE: {why or (words[dane.state.name] if dane is not None else '')}")
    for text, matched in zip(_records(dane), seen.matching, strict=True):
        lines.append(f"    TLSA {text}  {'matches' if matched else 'does not match'}")
    for name, verdict in seen.levels.items():
        outcome = f"sends ({verdict.trust})" if verdict.matched else "mail waits"
        reason = _why(verdict.fault, seen.host)
        lines.append(f"  level {name}: {outcome}{': ' + reason if reason else ''}")
    # What a stranger's certificate says must not steer the terminal.
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _records(dane: Dane | None) -> list[str]:
    if dane is None:
        return []
    return [f"{each.usage} {each.selector} {each.matching} {each.data.hex()}" for each in dane.records]


def _why(fault: str, host: Host) -> str:
    return fault.replace("{}", _relay(host))
