"""Postroad's SMTP client beside Postfix's: each level of security against servers with good and bad certificates.

One pair of clients sends one message for each cell of the table (level, certificate, server) through a
transport of its own to a port of its own.  What Postfix does is what Postroad has to do.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from peers.certificates import Authority, Pair, self_signed
from peers.harness import Postroad, a_place, free_port, until
from peers.programs import Postfix, postfix

pytestmark = pytest.mark.peer

CERTIFICATES = ("good", "rsa", "expired", "wrong", "own", "plain")
LEVELS = ("none", "may", "encrypt", "fingerprint", "verify", "secure")
#: What is sent whatever the server's certificate is worth, and what demands TLS.
DEMANDING = ("encrypt", "fingerprint", "verify", "secure")
CELLS = [(level, kind) for level in LEVELS for kind in CERTIFICATES]
DOMAIN = "cell.test"
Client = Postfix | Postroad


class Outcome(NamedTuple):
    """What became of one message: the log's words, and whether it came over TLS."""

    status: str
    dsn: str
    why: str
    encrypted: bool | None


class Grid:
    """Servers of both kinds, each with a port for each certificate, and clients of both kinds."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.clients: dict[str, Client] = {}
        self.servers: dict[str, Client] = {}
        self.ports: dict[tuple[str, str], int] = {}
        self.authority = Authority()
        self.pairs: dict[str, Pair] = {
            "good": self.authority.issue("localhost"),
            "rsa": self.authority.issue("localhost", kind="rsa"),
            "expired": self.authority.issue("localhost", expired=True),
            "wrong": self.authority.issue("elsewhere.test"),
            "own": self_signed("localhost"),
        }
        for name, pair in self.pairs.items():
            pair.write(place, name)
        self.roots = place / "roots.pem"
        self.roots.write_bytes(self.authority.pem)
        self.roots.chmod(0o644)

    # --- configurations

    def services(self, server: str) -> str:
        """Return the master.cf lines of a server: one port for each certificate."""
        lines = []
        for kind in CERTIFICATES:
            port = self.ports[server, kind] = free_port()
            lines.append(f"127.0.0.1:{port} inet n - n - - smtpd")
            if kind == "plain":
                lines.append("  -o smtpd_tls_security_level=none")
            else:
                chain, key = self.place / f"{kind}.pem", self.place / f"{kind}.key"
                lines.append(f"  -o smtpd_tls_cert_file={chain} -o smtpd_tls_key_file={key}")
        return "\n".join(lines) + "\n"

    def transports(self) -> str:
        """Return the master.cf lines of a client: one transport for each level."""
        return "".join(f"l-{each} unix - - n - - smtp -o smtp_tls_security_level={each}\n" for each in LEVELS)

    def routes(self) -> str:
        """Return the transport table of the clients."""
        return "".join(
            f"{address(level, kind, server)} l-{level}:[localhost]:{self.ports[server, kind]}\n"
            for server in self.servers
            for level, kind in CELLS
        )

    def client_settings(self) -> str:
        prints = ", ".join(self.pairs[kind].fingerprint() for kind in ("good", "expired"))
        return f"""
transport_maps = texthash:{{etc}}/transport
smtp_host_lookup = native
smtp_tls_CAfile = {self.roots}
smtp_tls_loglevel = 1
smtp_tls_fingerprint_digest = sha256
smtp_tls_fingerprint_cert_match = {prints}, {self.pairs["own"].key_fingerprint()}
smtp_tls_note_starttls_offer = yes
"""

    # --- what happened

    def send_all(self, client: Client) -> None:
        """Give a client one message for each cell."""
        with smtplib.SMTP(client.host, client.port, local_hostname="c.test", timeout=30) as session:
            for server in self.servers:
                for level, kind in CELLS:
                    to = address(level, kind, server)
                    session.sendmail(
                        "s@client.test", [to], f"Subject: {to}\r\nX-Client: {client.work.name}\r\n\r\nx\r\n"
                    )

    def outcome(self, client: str, server: str, level: str, kind: str) -> Outcome:
        """Wait for what became of a cell."""
        log, to = self.clients[client].log, re.escape(address(level, kind, server))
        pattern = re.compile(rf"to=<{to}>.*?, dsn=([\d.]+), status=(\w+) \((.*)\)$", re.MULTILINE)
        until(lambda: pattern.search(log()), 30, lambda: f"{client} {server} {level} {kind}\n{log()}")
        found = pattern.search(log())
        assert found is not None
        dsn, status, why = found.groups()
        why = re.sub(r"\(250 2.0.0 Ok: queued as \w+|localhost\[[^]]*\](:\d+)?", "SERVER", why)
        encrypted = self.encrypted(client, server, level, kind) if status == "sent" else None
        return Outcome(status, dsn, "" if status == "sent" else why, encrypted)

    def encrypted(self, client: str, server: str, level: str, kind: str) -> bool:
        to, peer = address(level, kind, server), self.servers[server]
        head = f"Subject: {to}\n".encode()

        def arrived() -> list[bytes]:
            folder = peer.work / "mail/all/new"
            kept = [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []
            return [each for each in kept if head in each and f"X-Client: {client}\n".encode() in each]

        until(arrived, 30, lambda: f"{client} {server} {level} {kind} is nowhere\n{peer.log()}")
        (message,) = arrived()
        own = message.split(b"\nReceived:")[1]  # what the server itself wrote
        tls = b"(using TLSv1" in own
        assert tls == (b" with ESMTPS id" in own), own
        return tls


def address(level: str, kind: str, server: str) -> str:
    return f"{level}-{kind}-{server}@{DOMAIN}"


@contextlib.contextmanager
def a_grid(servers: tuple[str, ...], clients: tuple[str, ...]) -> Iterator[Grid]:
    """Run the servers and the clients that are named: ``postfix``, ``postroad``."""
    with a_place() as place, contextlib.ExitStack() as stack:
        grid = Grid(place)
        taking = "smtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\nsmtpd_tls_loglevel = 1\n"
        boxes = "virtual_mailbox_maps = static:all/\n"
        for name in servers:
            if name == "postfix":
                peer: Client = stack.enter_context(
                    postfix(place, "to-postfix", main=taking, master=grid.services(name), domain=DOMAIN)
                )
            else:
                server = Postroad(
                    place, name="to-postroad", main=taking + boxes, master=grid.services(name), domain=DOMAIN
                )
                peer = stack.enter_context(server)
            grid.servers[name] = peer
        for name in clients:
            options = {"main": grid.client_settings(), "master": grid.transports(), "domain": "client.test"}
            files = {"transport": grid.routes()}
            if name == "postfix":
                client: Client = stack.enter_context(postfix(place, name, files=files, **options))
            else:
                client = stack.enter_context(Postroad(place, name=name, files=files, **options))
            grid.clients[name] = client
            grid.send_all(client)
        yield grid


@pytest.fixture(scope="module")
def grid() -> Iterator[Grid]:
    with a_grid(("postfix", "postroad"), ("postfix", "postroad")) as made:
        yield made


@pytest.mark.parametrize("server", ["postfix", "postroad"])
@pytest.mark.parametrize("level", LEVELS)
def test_what_postfix_does_is_done(grid: Grid, server: str, level: str) -> None:
    wanted = {kind: grid.outcome("postfix", server, level, kind) for kind in CERTIFICATES}
    got = {kind: grid.outcome("postroad", server, level, kind) for kind in CERTIFICATES}
    assert got == wanted


@pytest.mark.parametrize("server", ["postfix", "postroad"])
@pytest.mark.parametrize("level", DEMANDING)
def test_nothing_is_sent_in_plain_text_where_tls_is_demanded(grid: Grid, server: str, level: str) -> None:
    for kind in CERTIFICATES:
        assert grid.outcome("postroad", server, level, kind).encrypted is not False
    assert grid.outcome("postroad", server, level, "good").encrypted
    assert grid.outcome("postroad", server, level, "plain").status == "deferred"


@pytest.mark.parametrize("server", ["postfix", "postroad"])
def test_the_log_says_what_postfixs_says_of_each_connection(grid: Grid, server: str) -> None:
    for kind in CERTIFICATES:
        for level in LEVELS:
            for client in grid.clients:
                grid.outcome(client, server, level, kind)
        wanted = _established(grid, "postfix", server, kind)
        assert _established(grid, "postroad", server, kind) == wanted
        assert bool(wanted) == (kind != "plain")


def _established(grid: Grid, client: str, server: str, kind: str) -> list[str]:
    port = grid.ports[server, kind]
    pattern = rf"smtp\[\d+\]: (\w+ TLS connection established to localhost\[127\.0\.0\.1\]:{port}: .*)"
    return sorted(re.findall(pattern, grid.clients[client].log()))


@pytest.mark.parametrize("level", LEVELS)
def test_postfix_sees_no_difference_between_the_servers(grid: Grid, level: str) -> None:
    for kind in CERTIFICATES:
        for client in grid.clients:
            wanted = grid.outcome(client, "postfix", level, kind)
            assert grid.outcome(client, "postroad", level, kind) == wanted, (client, kind)
