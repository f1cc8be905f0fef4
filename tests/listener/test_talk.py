"""The dialogue of a client under test: its log, its time, its end; TLS."""

from __future__ import annotations

import contextlib
import re
import ssl

import pytest

from listener.screens import PLACE, World
from peers.certificates import self_signed
from postroad.app.registry import registry
from postroad.base.params import settings_of
from postroad.net.tls.server import ServerTls

DEEP = {"pipelining_enable": "yes", "non_smtp_command_enable": "yes", "bare_newline_enable": "yes"}


async def talking(tmp_path, **settings):
    world = World(tmp_path, **DEEP, **settings)
    transport = world.connect()
    await world.greeted(transport)
    world.log()
    return world, transport


def say(transport, *lines):
    for line in lines:
        transport.send(line.encode("latin-1") + b"\r\n")
    return transport.take()


async def test_who_behaves_passes_and_comes_again(tmp_path):
    world, transport = await talking(tmp_path)
    said = say(transport, "HELO c.example", "MAIL FROM:<s@c.example>", "RCPT TO:<r@x.example>", "QUIT")
    assert said[2:] == ["450 4.3.2 Service currently unavailable", "221 2.0.0 Bye"]
    assert transport.closed
    assert world.log()[1:] == [f"PASS NEW {PLACE}", f"DISCONNECT {PLACE}"]
    world.connect()
    await world.passed()
    assert world.log()[1:] == [f"PASS OLD {PLACE}"]


async def test_hanging_up_is_no_offence(tmp_path):
    world, transport = await talking(tmp_path)
    say(transport, "MAIL FROM:<s@c.example>", "RCPT TO:<r@x.example>")
    world.log()
    transport.lose()
    lines = world.log()
    assert re.fullmatch(r"HANGUP after [\d.]+ from \S+ in tests after SMTP handshake", lines[0])
    assert lines[1:] == [f"PASS NEW {PLACE}", f"DISCONNECT {PLACE}"]


@pytest.mark.parametrize(
    ("line", "logged"),
    [
        (b"RCPT TO:<\xff@x>\r\n", "to=<?@x>, proto=SMTP, helo=<>"),
        (b'RCPT TO:<"a b"@x>\r\n', 'to=<"a b"@x>, proto=SMTP, helo=<>'),
        (b"GET \x01 \xff\n", "NON-SMTP COMMAND from [192.0.2.9]:4000 after MAIL: GET \\001 \\377"),
        (b"NOOP \x01\n", "BARE NEWLINE from [192.0.2.9]:4000 after NOOP ?"),
        (
            b"NOOP\r\n" + b"\x01" * 500,
            "COMMAND PIPELINING from [192.0.2.9]:4000 after NOOP: " + "\\001" * 100,
        ),
    ],
)
async def test_one_event_is_one_clean_line(tmp_path, line, logged):
    world, transport = await talking(tmp_path, pipelining_action="ignore")
    say(transport, "MAIL FROM:<>")
    transport.send(line)
    (found,) = [each for each in world.log() if each.endswith(logged)]
    assert found.isprintable()


async def test_a_long_word_is_cut_in_the_log(tmp_path):
    world, transport = await talking(tmp_path)
    transport.send(b"x" * 1500 + b": y\r\n")
    assert world.log()[0] == f"NON-SMTP COMMAND from {PLACE} after CONNECT: {'x' * 100} y"


async def test_time_is_given_for_a_whole_command(tmp_path):
    world, transport = await talking(tmp_path)
    screening = transport.protocol
    before = screening.deadline = screening.deadline - 100
    transport.send(b"NO")
    assert screening.deadline == before
    transport.send(b"OP\r\n")
    assert screening.deadline > before
    screening.expired()
    assert transport.take()[1:] == ["421 4.4.2 mx.example Error: timeout exceeded"]
    assert transport.closed
    assert world.log() == [f"COMMAND TIME LIMIT from {PLACE} after NOOP", f"DISCONNECT {PLACE}"]


async def test_a_footer_and_a_soft_bounce(tmp_path):
    def footer(reply, address, port):
        return type(reply)(reply.code, reply.status, f"{reply.text} {address} {port}")

    world = World(tmp_path, footer=footer, others={"soft_bounce": "yes"}, **DEEP)
    transport = world.connect()
    await world.greeted(transport)
    assert say(transport, "FOO", "NOOP") == [
        "402 4.5.2 Error: command not recognized 192.0.2.9 4000",
        "250 2.0.0 Ok",
    ]


async def test_a_table_may_replace_commands(tmp_path):
    table = tmp_path / "filter"
    table.write_text("/^FOO *$/ NOOP\n/^MAIL *$/ MAIL FROM:<new@x.example>\n/^BAR/ CONNECT x\n")
    world, transport = await talking(tmp_path, command_filter=f"regexp:{table}")
    said = say(transport, "  foo", "HELO c.example", "MAIL", "RCPT TO:<r@x>")
    assert said[0] == "250 2.0.0 Ok"
    lines = world.log()
    assert lines[:2] == [
        f'{PLACE}: replacing command "  foo" with "NOOP"',
        f'{PLACE}: replacing command "MAIL" with "MAIL FROM:<new@x.example>"',
    ]
    assert "from=<new@x.example>" in lines[2]
    assert say(transport, "BAR\x01" + "x" * 200) == ["521 5.7.0 Error: I can break rules, too. Goodbye."]
    replaced, found, *_ = world.log()
    assert re.fullmatch(r'\S+: replacing command "BAR\?x{96}" with "CONNECT x"', replaced)
    assert found == f"NON-SMTP COMMAND from {PLACE} after RCPT: CONNECT x"


async def test_a_table_of_commands_that_fails_ends_it(tmp_path):
    world, transport = await talking(tmp_path, command_filter="fail:down")
    assert say(transport, "NOOP") == ["421 4.3.0 mx.example Server local data error"]
    assert transport.closed
    line, *_ = world.log()
    assert line.startswith(f"warning: {PLACE}: postscreen_command_filter lookup error: ")


async def test_keywords_can_be_hidden(tmp_path):
    world, transport = await talking(
        tmp_path,
        discard_ehlo_keywords="dsn",
        discard_ehlo_keyword_address_maps="inline:{192.0.2.9=etrn}",
    )
    said = say(transport, "EHLO x")
    assert "250-DSN" in said
    assert "250-ETRN" not in said
    assert world.log() == []


async def test_a_table_of_keywords_that_fails_hides_what_all_are_not_told(tmp_path):
    world, transport = await talking(
        tmp_path, discard_ehlo_keywords="dsn", discard_ehlo_keyword_address_maps="fail:down"
    )
    assert "250-DSN" not in say(transport, "EHLO x")
    assert world.service.sessions == 1


# --- TLS


class Client:
    """The client's side of TLS, in memory."""

    def __init__(self, transport):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self._transport = transport

    def _exchange(self):
        self._transport.send(self._out.read())
        self._in.write(self._transport.written)
        self._transport.written = b""

    def shake_hands(self):
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
            if self._out.pending:
                self._exchange()

    def leave(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._exchange()

    def ask(self, line):
        self._tls.write(line.encode() + b"\r\n")
        self._exchange()
        return self._tls.read().decode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    place = tmp_path_factory.mktemp("tls")
    chain, key = self_signed("mx.example").write(place, "mx")
    whole = place / "whole.pem"
    whole.write_bytes(key.read_bytes() + chain.read_bytes())
    settings = settings_of(registry().groups, smtpd_tls_chain_files=str(whole), myhostname="mx.example")
    return ServerTls(settings, {str(whole): whole.read_bytes()})


async def encrypting(tmp_path, certificate, **settings):
    world = World(tmp_path, tls=certificate, tls_loglevel=1, tls_security_level="may", **DEEP, **settings)
    transport = world.connect()
    await world.greeted(transport)
    world.log()
    assert "250-STARTTLS" in say(transport, "EHLO x")
    assert say(transport, "STARTTLS") == ["220 2.0.0 Ready to start TLS"]
    return world, transport


async def test_a_client_may_encrypt(tmp_path, certificate):
    world, transport = await encrypting(tmp_path, certificate)
    client = Client(transport)
    client.shake_hands()
    assert "STARTTLS" not in client.ask("EHLO x")
    assert client.ask("MAIL FROM:<a@b>") == "250 2.1.0 Ok\r\n"
    assert client.ask("RCPT TO:<c@d>").startswith("450 ")
    assert client.ask("QUIT") == "221 2.0.0 Bye\r\n"
    assert transport.closed
    log = world.log()
    assert log[0] == f"tlsproxy: CONNECT from {PLACE}"
    assert log[1].startswith(f"tlsproxy: Anonymous TLS connection established from {PLACE}: TLSv1.3 with")
    assert log[3:] == [f"PASS NEW {PLACE}", f"DISCONNECT {PLACE}", f"tlsproxy: DISCONNECT {PLACE}"]


async def test_without_a_certificate_tls_is_not_offered(tmp_path):
    world = World(tmp_path, tls_security_level="may", **DEEP)
    transport = world.connect()
    await world.greeted(transport)
    assert "250-STARTTLS" not in say(transport, "EHLO x")


async def test_what_is_no_handshake_ends_it(tmp_path, certificate):
    world, transport = await encrypting(tmp_path, certificate)
    transport.send(b"MAIL FROM:<injected@x>\r\n")
    assert transport.closed
    log = world.log()
    assert log[1].startswith("tlsproxy: warning: TLS library problem: error:")
    assert log[2:4] == [
        f"tlsproxy: TLS handshake failed for service=smtpd peer={PLACE}",
        f"tlsproxy: DISCONNECT {PLACE}",
    ]
    assert log[4].startswith("HANGUP after ")
    assert log[5:] == [f"DISCONNECT {PLACE}"]


async def test_a_client_may_say_goodbye_to_tls(tmp_path, certificate):
    world, transport = await encrypting(tmp_path, certificate)
    client = Client(transport)
    client.shake_hands()
    client.ask("NOOP")
    client.leave()
    assert transport.closed
    assert world.log()[-3].endswith("in tests after SMTP handshake")


@pytest.mark.parametrize("end", ["expired", "stop"])
async def test_nothing_is_said_in_the_middle_of_a_handshake(tmp_path, certificate, end):
    world, transport = await encrypting(tmp_path, certificate)
    if end == "expired":
        transport.protocol.expired()
    else:
        world.service.drain()
    assert transport.closed
    assert b"421" not in transport.written
