"""Policy servers of others: Postgrey, and one that is killed again and again."""

from __future__ import annotations

import smtplib
import socketserver
import sys
import threading
import time
from typing import Self

import pytest

from peers.harness import Postroad, free_port, message, until
from peers.programs import postfix
from peers.senders import PATIENT, Senders, heads, letters
from peers.services import Service, postgrey

#: Refuses everybody; dies when it is told to.
_SERVER = """
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line == b"\\n":
                self.wfile.write(b"action=REJECT never\\n\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


_LISTS = ["client", "helo", "sender", "recipient", "data", "end_of_data", "etrn"]


class _Told(socketserver.ThreadingTCPServer):
    """Keeps what it is told, and has nothing against it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listener)
        self.told: list[list[tuple[str, str]]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Listener(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        attributes: list[tuple[str, str]] = []
        for line in self.rfile:
            if line == b"\n":
                self.server.told.append(attributes)
                attributes = []
                self.wfile.write(b"action=DUNNO\n\n")
            else:
                name, _, value = line.decode().rstrip("\n").partition("=")
                attributes.append((name, value))


def _dialogue(host: str, port: int) -> None:
    """Go through every stage, with two messages."""
    with smtplib.SMTP(host, port, local_hostname="client.example", timeout=30) as client:
        client.ehlo()
        client.verify("v@example.test")
        client.docmd("ETRN", "example.org")
        client.docmd("MAIL", "FROM:<A.b@example.net> SIZE=77 BODY=8BITMIME")
        client.rcpt("alice@example.test")
        client.rcpt("bob@example.test")
        client.data(b"Subject: x\r\n\r\n..hello\r\n")
        client.docmd("MAIL", "FROM:<>")
        client.docmd("RCPT", 'TO:<"alice"@example.test>')
        client.data(b"Subject: x\r\n")
    with smtplib.SMTP(host, port, timeout=30) as client:
        client.helo("other.example")
        client.docmd("MAIL", 'FROM:<"a b"@example.net>')
        client.rcpt("alice@example.test")


@pytest.mark.peer
def test_a_policy_server_is_told_what_postfix_tells_it(place):
    def main(port: int) -> str:
        asks = "".join(
            f"smtpd_{each}_restrictions = check_policy_service inet:127.0.0.1:{port}\n" for each in _LISTS
        )
        return f"{asks}smtpd_delay_reject = no\nsmtpd_relay_restrictions = permit_mynetworks, reject\n"

    with (
        _Told() as theirs,
        postfix(place, "pf", main=main(theirs.server_address[1]), domain="example.test") as peer,
    ):
        _dialogue(peer.host, peer.port)
        wanted = theirs.told
    with _Told() as ours, Postroad(place, name="mx", main=main(ours.server_address[1])) as server:
        _dialogue(server.host, server.port)
        told = ours.told
    for their, our in zip(wanted, told, strict=True):
        assert [name for name, _ in our] == [name for name, _ in their]
        # Ports are the test's. Postfix has a queue id from the first RCPT on, we from DATA on; at EHLO it
        # still says the protocol of the command before.
        left_out = {"client_port", "server_port", "instance", "queue_id"}
        if dict(our)["protocol_state"] in ("EHLO", "HELO"):
            left_out.add("protocol_name")
        assert [pair for pair in our if pair[0] not in left_out] == [
            pair for pair in their if pair[0] not in left_out
        ]
    for requests in (wanted, told):
        instances = [dict(each)["instance"] for each in requests]
        assert [bool(each) for each in instances] == [
            dict(each)["protocol_state"] in _IN_MESSAGE for each in requests
        ]
        assert len(set(instances) - {""}) == 3


_IN_MESSAGE = ("RCPT", "DATA", "END-OF-MESSAGE")


@pytest.mark.peer
def test_postgrey(place):
    port = free_port()
    main = (
        f"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}\nsmtpd_error_sleep_time=0"
    )
    with postgrey(place, port, 1), Postroad(place, main=main) as server:

        def attempt() -> tuple[int, bytes]:
            try:
                server.send("a@example.net", "alice@example.test", message("Here at last"))
            except smtplib.SMTPRecipientsRefused as error:
                return error.recipients["alice@example.test"]
            return 250, b""

        code, text = attempt()
        assert code == 450
        assert text.startswith(b"4.2.0 <alice@example.test>: Recipient address rejected: Greylisted, see ")
        until(lambda: attempt()[0] == 250, 10, server.log, 0.3)
        (mail,) = server.wait_mail("alice")
        assert b"\nX-Greylist: delayed " in mail
        assert "problem talking" not in server.log()


@pytest.mark.peer
def test_no_mail_is_lost_or_taken_at_its_first_try_when_postgrey_dies(place):
    port, given = free_port(), letters(160)
    main = f"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}\n{PATIENT}"
    with postgrey(place, port, 3) as server_of_theirs, Postroad(place, main=main, workers=2) as server:
        with Senders(server, given) as senders:
            for code in (450, 450, 250):
                senders.wait(code, 20)
                server_of_theirs.kill()
                senders.wait(451, 3)
                server_of_theirs.start()
            senders.finish()
        for letter in given:
            *before, last = letter.answers
            assert last[0] == 250
            assert before
            for code, text in before:
                assert text.startswith(_GREYLISTED if code == 450 else _CONFIGURATION), (code, text)
        # Postgrey has noted what it had no time to answer, one question of each client at each kill: it asks
        # some to come again but once, and tells of others to whom it was to tell, already, how long they waited.
        unheard = [letter for letter in given if all(code != 450 for code, _text in letter.answers)]
        found = heads(server.wait_mail("alice", len(given), 60), given)
        untold = [head for head in found.values() if b"\nX-Greylist: delayed " not in head]
        assert len(unheard) + len(untold) <= 3 * 6
        server.wait_empty()
        name = f"127.0.0.1:{port}"
        server.wait_log(f"warning: connect to {name}: Connection refused$")
        server.wait_log(f"warning: problem talking to server {name}: Connection refused$")


_GREYLISTED = b"4.2.0 <alice@example.test>: Recipient address rejected: Greylisted, see "
_CONFIGURATION = b"4.3.5 <alice@example.test>: Recipient address rejected: Server configuration problem"


@pytest.mark.peer
def test_a_policy_server_that_is_killed_under_load_lets_nobody_pass(place):
    port, script = free_port(), place / "policy.py"
    script.write_text(_SERVER)
    main = (
        "smtpd_recipient_restrictions = check_policy_service "
        f"{{ inet:127.0.0.1:{port}, timeout=5s, try_limit=1 }}\n{PATIENT}"
    )
    codes: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with server.connect() as client:
                client.ehlo()
                client.mail("a@example.net")
                codes.extend(client.rcpt("alice@example.test")[0] for _ in range(50))

    command = [sys.executable, "-S", str(script), str(port)]
    with Service(command, port, place / "out") as policy, Postroad(place, main=main, workers=2) as server:
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(4):
                before = codes.count(554)
                until(lambda before=before: codes.count(554) > before + 20)
                policy.kill()
                failed = codes.count(451)
                until(lambda failed=failed: codes.count(451) > failed)
                time.sleep(0.05)
                policy.start()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert set(codes) == {451, 554}
        server.wait_log(f"warning: problem talking to server 127.0.0.1:{port}: ")
