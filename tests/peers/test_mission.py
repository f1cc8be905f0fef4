"""The settings of the mission's document, as written there, in one main.cf."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop
from postroad.store.reader import ShardReader, shards

pytestmark = pytest.mark.peer

#: Only the path of the table is another: tests do not write below /etc.
SETTINGS = """\
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
relay_domains = example.com
relay_recipient_maps = hash:{etc}/relay_recipients
message_size_limit = 10240000
mailbox_size_limit = 51200000
maximal_queue_lifetime = 5d
minimal_backoff_time = 1000s
maximal_backoff_time = 4000s
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_client_restrictions = permit_mynetworks, reject_unknown_client
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
default_process_limit = 100
smtp_connection_cache_time_limit = 2s
"""
_TABLE = "known@example.com OK\nother@example.com OK\n"


@pytest.fixture
def peer() -> Iterator[NextHop]:
    with NextHop() as made:
        yield made


@pytest.fixture
def server(place: Path, peer: NextHop) -> Iterator[Postroad]:
    main = f"{SETTINGS}transport_maps = inline:{{example.com=smtp:[127.0.0.1]:{peer.port}}}\n"
    with Postroad(place, main=main, files={"relay_recipients": _TABLE}) as made:
        yield made


def outsiders(server: Postroad, more: str = "") -> None:
    """Have our own address count as a stranger's."""
    server.configure(f"mynetworks = 192.0.2.0/24\n{more}")
    assert server.reload().returncode == 0


def test_the_server_starts_with_all_of_them_and_check_finds_no_error(server: Postroad) -> None:
    done = server.run("check")
    assert done.returncode == 0, done.stderr + done.stdout
    for line in SETTINGS.splitlines():
        name, _, value = line.partition(" = ")
        shown = server.run("postconf", name)
        assert shown.stdout == f"{name} = {value.replace('{etc}', str(server.etc))}\n"


def test_all_of_them_are_obeyed(server: Postroad) -> None:
    done = server.run("check")
    said = done.stdout + done.stderr
    assert "not supported" not in said.lower()
    with server.connect() as client:
        client.ehlo()
        assert client.has_extn("starttls")


def test_only_listed_recipients_of_relay_domains_are_taken(server: Postroad, peer: NextHop) -> None:
    with server.connect() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("known@example.com")[0] == 250
        code, text = client.rcpt("nobody@example.com")
        assert code == 550
        assert text.startswith(
            b"5.1.1 <nobody@example.com>: Recipient address rejected: User unknown in relay"
        )
        assert client.data(message("Relayed"))[0] == 250
    until(lambda: peer.accepted)
    assert peer.accepted[0].recipients == ["known@example.com"]


def test_the_source_of_a_hash_table_is_followed_when_it_changes(server: Postroad) -> None:
    with server.connect() as client:
        client.ehlo()
        client.mail("s@client.example")
        assert client.rcpt("new@example.com")[0] == 550
        server.write("relay_recipients", _TABLE + "new@example.com OK\n")
        until(lambda: client.rcpt("new@example.com")[0] == 250, 30, every=0.2)


def test_no_stranger_may_relay(server: Postroad) -> None:
    outsiders(server, "smtpd_client_restrictions =")
    with server.connect() as client:
        client.ehlo()
        client.mail("s@client.example")
        # 454, not 554: smtpd_relay_restrictions comes first, and its default defers.
        code, text = client.rcpt("x@elsewhere.example")
        assert (code, text) == (454, b"4.7.1 <x@elsewhere.example>: Relay access denied")
        server.configure("smtpd_relay_restrictions =")
        assert server.reload().returncode == 0
    with server.connect() as client:
        client.ehlo()
        client.mail("s@client.example")
        code, text = client.rcpt("x@elsewhere.example")
        assert (code, text) == (554, b"5.7.1 <x@elsewhere.example>: Relay access denied")
        assert client.rcpt("known@example.com")[0] == 250
        assert client.rcpt("alice@example.test")[0] == 250


def test_a_client_without_a_name_is_refused_at_rcpt(server: Postroad) -> None:
    outsiders(server)
    with server.connect() as client:
        client.ehlo()
        assert client.mail("s@client.example")[0] == 250
        code, text = client.rcpt("alice@example.test")
        assert code == 450
        assert text.startswith(b"4.7.25 Client host rejected: cannot find your hostname, [127.0.0.1]")
    assert server.wait_log(
        r"NOQUEUE: reject: RCPT from unknown\[127.0.0.1\]: 450 4.7.25 Client host rejected"
    )


def test_the_size_limit_is_announced_and_kept_to_the_byte(server: Postroad) -> None:
    with server.connect(timeout=30) as client:
        client.ehlo()
        assert client.esmtp_features["size"] == "10240000"
        code, text = client.mail("s@client.example", ["SIZE=10240001"])
        assert (code, text) == (552, b"5.3.4 Message size exceeds fixed limit")
        assert client.mail("s@client.example", ["SIZE=10240000"])[0] == 250


@pytest.mark.parametrize(("more", "code"), [(0, 250), (1, 552)])
def test_the_size_of_what_comes_counts_without_the_dots(server: Postroad, more: int, code: int) -> None:
    limit = 30_000
    server.configure(f"message_size_limit = {limit}")
    assert server.reload().returncode == 0
    head = "Subject: a\r\n\r\n"
    size = limit - len(head) + more
    lines = [".dotted\r\n"] * (size // 9)
    lines[0] = lines[0][:-2] + "x" * (size % 9) + "\r\n"
    with server.connect() as client:
        client.ehlo()
        assert _data(client, head + "".join(lines)) == code
        assert client.noop()[0] == 250


def _data(client: smtplib.SMTP, text: str) -> int:
    client.mail("s@client.example")
    client.rcpt("alice@example.test")
    return client.data(text)[0]


def test_the_process_limit_bounds_the_sessions(server: Postroad) -> None:
    server.configure("default_process_limit = 3\nsmtpd_client_connection_count_limit = 0")
    assert server.reload().returncode == 0
    clients = [server.connect() for _ in range(3)]
    waiting = smtplib.SMTP(timeout=0.5)
    with pytest.raises(OSError, match="timed out"):
        waiting.connect(server.host, server.port)
    clients.pop().quit()
    late = server.connect()
    assert late.noop()[0] == 250
    for client in (*clients, late):
        client.quit()


def test_one_worker_may_have_all_the_sessions_that_the_limit_allows(place: Path) -> None:
    """The kernel shares connections out by chance: each round another way."""
    main = "default_process_limit = 4\nsmtpd_client_connection_count_limit = 0\n"
    with Postroad(place, main=main, workers=2) as server:
        for _ in range(6):
            clients = [server.connect() for _ in range(4)]
            for client in clients:
                client.quit()


def test_connections_are_used_again_for_as_long_as_is_set(server: Postroad, peer: NextHop) -> None:
    server.configure("smtp_connection_cache_destinations = 127.0.0.1\nsmtp_connection_cache_time_limit = 6s")
    assert server.reload().returncode == 0
    for number in range(4):
        server.send("s@client.example", ["known@example.com"], message(f"Number {number}"))
        until(lambda: len(peer.accepted) == number + 1)  # noqa: B023
    assert peer.connections == 1
    # It is ended by itself when nothing came for that long.
    until(lambda: "QUIT" in peer.lines, 30)


def test_a_failure_is_tried_again_after_a_thousand_seconds(server: Postroad, peer: NextHop) -> None:
    peer.answers["RCPT"] = "450 4.2.0 Later"
    server.send("s@client.example", ["known@example.com"], message("Waits"))
    server.wait_log("status=deferred")
    until(lambda: server.queue()[0]["queue_name"] == "deferred")
    (entry,) = server.queue()
    dues = []
    for directory in shards(server.work / "queue"):
        with contextlib.closing(ShardReader(directory)) as reader:
            dues += [message.due for message in reader.find()]
    (due,) = dues
    assert 900 <= due - entry["arrival_time"] <= 1400


def test_check_tells_of_a_mailbox_that_is_smaller_than_a_message(server: Postroad) -> None:
    words = "mailbox_size_limit is smaller than message_size_limit"
    assert words not in "".join(_check(server))
    server.configure("mailbox_size_limit = 10239999")
    assert words in "".join(_check(server))


def _check(server: Postroad) -> tuple[str, str]:
    done = server.run("check")
    return done.stdout, done.stderr
