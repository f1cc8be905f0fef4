"""Logging in at a real Postfix with a real Dovecot behind it, and at servers that do as they like."""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.certificates import Authority
from peers.harness import Postroad, a_place, free_port, message, until
from peers.nexthop import NextHop, short
from peers.programs import Postfix, dovecot_auth, postfix

pytestmark = pytest.mark.peer

USER, SECRET = "relay@example.test", "s3cret with=all, kinds"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
_SERVER = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options =
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""
_CLIENT = """\
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:{etc}/passwords
smtp_sasl_security_options =
smtp_mail_timeout = 15s
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[Postfix]:
    """A Postfix that takes mail of those only whom Dovecot knows."""
    with a_place() as place, postfix(place, "relay", main=_SERVER) as server:
        socket = server.work / "queue/private/auth"
        with dovecot_auth(place, socket, {USER: SECRET}, " ".join(MECHANISMS).lower()):
            until(lambda: os.access(socket, os.W_OK))
            yield server


@contextlib.contextmanager
def logged_in(place: Path, port: int, password: str = SECRET, main: str = "", master: str = "") -> Iterator[Postroad]:  # fmt: skip
    """Run a Postroad that relays there; its table of passwords is root's alone, as it should be."""
    server = Postroad(
        place,
        name=f"client-{free_port()}",
        main=short(port, _CLIENT + main),
        master=master,
        files={"passwords": f"[127.0.0.1]:{port} {USER}:{password}\n"},
    )
    (server.etc / "passwords").chmod(0o600)
    with server:
        yield server


def routed(routes: dict[str, tuple[int, str]]) -> dict[str, str]:
    """Return settings by which mail for NAME@postfix.test has a client service and a port of its own."""
    services = "".join(
        f"to-{name} unix - - n - - smtp\n  {options}\n" for name, (_, options) in routes.items()
    )
    table = ", ".join(
        f"{{{name}@postfix.test=to-{name}:[127.0.0.1]:{port}}}" for name, (port, _) in routes.items()
    )
    return {"main": f"transport_maps = inline:{{{table}}}\n", "master": services}


def test_each_mechanism_logs_in(place, relay):
    before = len(relay.messages())
    names = {name.lower(): name for name in MECHANISMS}
    routes = {name: (relay.port, f"-o smtp_sasl_mechanism_filter={name}") for name in names}
    with logged_in(place, relay.port, **routed(routes)) as client:
        client.send("a@x.test", [f"{name}@postfix.test" for name in names], message())
        until(lambda: len(relay.messages()) >= before + len(names), 30, lambda: client.log() + relay.log())
        client.wait_empty()
    for name in MECHANISMS:
        line = rf"sasl_method={name}, sasl_username={re.escape(USER)}"
        until(lambda line=line: re.search(line, relay.log()), explain=relay.log)


def test_a_wrong_password_defers_in_postfixs_words(place, relay):
    with logged_in(place, relay.port, "wrong") as client:
        client.send("a@x.test", "b@postfix.test", message())
        (line, *_) = client.wait_log("status=deferred")
    assert "dsn=4.7.8" in line
    assert re.search(
        r"\(SASL authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: 535 5\.7\.8 ", line
    )
    assert "wrong" not in client.log()


def test_a_new_password_counts_without_a_restart(place, relay):
    before = len(relay.messages())
    with logged_in(place, relay.port, "wrong") as client:
        client.send("a@x.test", "b@postfix.test", message())
        client.wait_log("status=deferred")
        # In place, as an editor does: root's alone it stays.
        (client.etc / "passwords").write_text(f"[127.0.0.1]:{relay.port} {USER}:{SECRET}\n")
        until(lambda: len(relay.messages()) > before, 30, client.log)
        client.wait_empty()


# --- servers that do as they like


def offering(mechanisms: str, **answers: str) -> NextHop:
    ehlo = f"250-next.example\r\n250-PIPELINING\r\n250-AUTH {mechanisms}\r\n250 ENHANCEDSTATUSCODES"
    return NextHop(answers={"EHLO": ehlo, **answers})


def challenge(text: bytes) -> str:
    return "334 " + base64.b64encode(text).decode()


#: What a server offers and answers, a setting of ours, and the words of the log.
UNTRUSTED = {
    "foreign": ("GSSAPI", "", "", "no mechanism available"),
    "filtered": (
        "PLAIN",
        "",
        "-o { smtp_sasl_mechanism_filter = !plain, static:rest }",
        "offered no compatible authentication mechanisms for this type of connection security",
    ),
    "clear": ("PLAIN", "", "-o smtp_sasl_security_options=noplaintext", "no mechanism available"),
    "garbage": ("CRAM-MD5", "334 !!!!", "", "bad protocol / cancel"),
    "nothing": ("CRAM-MD5", "334 ", "", "bad protocol / cancel"),
    "rounds": ("SCRAM-SHA-256", challenge(b"r=x,s=QUJD,i=99999999"), "", "bad protocol / cancel"),
    "unproved": ("SCRAM-SHA-1", "235 2.7.0 Welcome", "", "server failed mutual authentication step"),
    "bearer": ("XOAUTH2", "", "", "no mechanism available"),
}


def test_who_is_not_to_be_trusted_gets_no_mail(place):
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(offering(case[0], AUTH=case[1] or "535 5.7.8 No"))
            for name, case in UNTRUSTED.items()
        }
        routes = {name: (server.port, UNTRUSTED[name][2]) for name, server in servers.items()}
        settings = routed(routes)
        settings["main"] += f"smtp_sasl_password_maps = inline:{{{{127.0.0.1={USER}:{SECRET}}}}}\n"
        client = stack.enter_context(logged_in(place, 1, **settings))
        client.send("a@x.test", [f"{name}@postfix.test" for name in UNTRUSTED], message())
        for name, server in servers.items():
            (line, *_) = client.wait_log(f"to=<{name}@postfix.test>.* status=deferred")
            assert UNTRUSTED[name][3] in line
            assert "dsn=4.7.0" in line
            assert not any(each.startswith("MAIL") for each in server.lines)
        assert SECRET not in client.log()


def test_without_an_entry_nobody_logs_in(place):
    with (
        offering("PLAIN") as server,
        logged_in(place, server.port, main="smtp_sasl_password_maps = inline:{{other.test=a:b}}\n") as client,
    ):
        client.send("a@x.test", "b@y.test", message())
        until(lambda: server.accepted, 30, client.log)
        assert not any(each.startswith("AUTH") for each in server.lines)


def test_a_table_that_is_not_there_is_no_reason_to_send_without_a_login(place):
    with (
        offering("PLAIN", AUTH="235 2.7.0 Ok") as server,
        logged_in(place, server.port) as client,
    ):
        (client.etc / "passwords").unlink()
        client.send("a@x.test", "b@y.test", message())
        (line, *_) = client.wait_log("status=deferred")
        assert "dsn=4.3.0" in line
        assert server.received == []


def test_a_login_for_each_sender(place):
    main = (
        "smtp_sender_dependent_authentication = yes\n"
        "smtp_sasl_password_maps = inline:{ {amy@x.test=amy:pw}, {bob@x.test=bob:pw} }\n"
    )
    with (
        offering("PLAIN", AUTH="235 2.7.0 Ok") as server,
        logged_in(place, server.port, main=main) as client,
    ):
        for number, name in enumerate(("amy", "bob", "amy", "eve"), 1):
            client.send(f"{name}@x.test", "b@y.test", message())
            until(lambda number=number: len(server.accepted) == number, 30, client.log)
        sessions: list[tuple[str, str]] = []
        who = ""
        for each in server.lines:
            if each.startswith("EHLO"):
                who = ""
            elif each.startswith("AUTH PLAIN "):
                who = base64.b64decode(each.split()[2]).split(b"\0")[1].decode()
            elif each.startswith("MAIL"):
                sessions.append((each.partition("<")[2].partition("@")[0], who))
    assert sorted(sessions) == [("amy", "amy"), ("amy", "amy"), ("bob", "bob"), ("eve", "")]


def test_a_refused_login_is_not_repeated_where_that_is_wanted(place):
    main = (
        "smtp_sasl_auth_cache_name = proxy:btree:/var/lib/postfix/cache\nsmtp_sasl_auth_soft_bounce = yes\n"
    )
    with (
        offering("PLAIN", AUTH="535 5.7.8 Go away") as server,
        logged_in(place, server.port, main=main) as client,
    ):
        client.send("a@x.test", "b@y.test", message())
        client.wait_log(r"SASL authentication failed; server .* said: 535 5.7.8 Go away")
        client.wait_log(r"SASL \[CACHED\] authentication failed; server .* said: 535 5.7.8 Go away")
        assert sum(each.startswith("AUTH") for each in server.lines) == 1


# --- Postroad on both sides

_BOTH = """\
smtpd_tls_cert_file = {place}/server.pem
smtpd_tls_key_file = {place}/server.key
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = postroad
smtpd_sasl_path = {{etc}}/users
smtpd_sasl_mechanisms = {mechanisms}
smtpd_sasl_security_options =
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
virtual_mailbox_domains = postfix.test
virtual_mailbox_maps = static:all/
"""


def test_bound_to_the_channel_with_the_strongest_first(place):
    Authority().issue("localhost").write(place, "server")
    names = (*MECHANISMS, "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS")
    main = _BOTH.format(place=place, mechanisms=" ".join(names))
    users = {"users": f"{USER}:{{PLAIN}}{SECRET}\n"}
    with Postroad(place, name="server", main=main, files=users) as server:
        routes = {name.lower(): (server.port, f"-o smtp_sasl_mechanism_filter={name}") for name in names}
        settings = routed(routes | {"any": (server.port, "-o smtp_sasl_mechanism_filter=")})
        settings["main"] += "smtp_tls_security_level = encrypt\n"
        with logged_in(place, server.port, **settings) as client:
            recipients = [f"{name}@postfix.test" for name in (*routes, "any")]
            client.send("a@x.test", recipients, message())
            client.wait_log("status=sent", len(recipients))
        used = re.findall(r"sasl_method=(\S+), sasl_username", server.log())
    assert sorted(used) == sorted([*names, "SCRAM-SHA-256-PLUS"])
