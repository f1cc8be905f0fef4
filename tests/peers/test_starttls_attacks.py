"""What a man in the middle can do around STARTTLS: nothing but stop the mail, where TLS is demanded."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.certificates import Authority
from peers.harness import Postroad, a_place, until
from peers.programs import Postfix, postfix
from peers.submission import Submission, a_submission

pytestmark = pytest.mark.peer

# --- the server's side: commands that somebody puts behind the client's STARTTLS

_EVIL = "NOOP\r\nMAIL FROM:<evil@client.test>\r\n"
_ATTACK = f"STARTTLS\r\n{_EVIL}".encode()


@pytest.fixture(scope="module")
def submission() -> Iterator[Submission]:
    with a_place() as place, a_submission(place) as made:
        yield made


def attack(it: Submission, split: int) -> bytes:
    """Send STARTTLS and commands behind it in two pieces, then shake hands; return all of the server's words."""
    with socket.create_connection(("localhost", it.ports["open"]), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert sock.recv(4096).startswith(b"220 ")
        sock.sendall(b"EHLO client.test\r\n")
        assert b"STARTTLS" in sock.recv(4096)
        sock.sendall(_ATTACK[:split])
        if split < len(_ATTACK):
            time.sleep(0.01)
            sock.sendall(_ATTACK[split:])
        answer = sock.recv(len(b"220 2.0.0 Ready to start TLS\r\n"))
        if not answer.startswith(b"220 "):
            return answer
        with contextlib.suppress(OSError), it.context().wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(b"QUIT\r\n")
            while data := tls.recv(4096):
                answer += data
        return answer


def test_nothing_behind_starttls_is_obeyed_however_it_is_cut(submission: Submission) -> None:
    for split in range(1, len(_ATTACK) + 1):
        answer = attack(submission, split)
        assert b"250 2." not in answer, (split, answer)  # QUIT is the first command after the handshake
    done = len(_ATTACK)
    until(lambda: submission.server.log().count(" disconnect from ") >= done, 30, submission.server.log)
    assert not re.search(r" disconnect from .* (mail|noop)=", submission.server.log())


def test_starttls_is_offered_once(submission: Submission) -> None:
    with smtplib.SMTP("localhost", submission.ports["open"], "client.test", timeout=30) as client:
        client.ehlo()
        client.starttls(context=submission.context())
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        assert client.docmd("MAIL FROM:<a@client.test>")[0] == 250


# --- the client's side

SCENES = {
    "good": "220 2.0.0 go ahead",
    # The rest of a reply that was not asked for: it must not be taken for the one to EHLO.
    "injection": "220 2.0.0 go ahead\r\n250-evil.example\r\n250-SIZE 1\r\n250 AUTH PLAIN",
    "injection-late": "220 2.0.0 go ahead",
    "stripped": "",
    "later": "454 4.7.0 not now",
    "never": "500 5.5.1 what",
    "garbage": "220 2.0.0 go ahead",
    "closed": "220 2.0.0 go ahead",
    "silent": "220 2.0.0 go ahead",
    "no-reply": "",
}
LEVELS = ("may", "encrypt", "secure")


class Hop:
    """A server that misbehaves around STARTTLS, as its scene says, and notes what it was told in the clear."""

    def __init__(self, scene: str, context: ssl.SSLContext) -> None:
        self.scene, self.context = scene, context
        self.clear: list[str] = []
        self.encrypted: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(30)
        with contextlib.suppress(OSError), client:
            client.sendall(b"220 hop.example ESMTP\r\n")
            if self._talk(client, self.clear, offer=self.scene != "stripped"):
                self._encrypt(client)

    def _encrypt(self, client: socket.socket) -> None:
        reply = SCENES[self.scene]
        if reply:
            client.sendall(reply.encode() + b"\r\n")
        if self.scene == "closed":
            return
        if self.scene in ("silent", "no-reply"):
            while client.recv(4096):
                pass
        if self.scene == "garbage":
            client.sendall(b"250-hop.example\r\n250 HELP\r\n")
            while client.recv(4096):
                pass
        if self.scene == "injection-late":
            client.recv(1, socket.MSG_PEEK)  # the client's first words of the handshake are under way
            client.sendall(b"250-evil.example\r\n250 AUTH PLAIN\r\n")
        if reply.startswith("220"):
            with self.context.wrap_socket(client, server_side=True) as tls:
                self._talk(tls, self.encrypted, offer=False)
        else:
            self._talk(client, self.clear, offer=True)

    def _talk(self, client: socket.socket, said: list[str], *, offer: bool) -> bool:
        """Answer commands; return whether STARTTLS came."""
        file = client.makefile("rb")
        while line := file.readline(4096).decode(errors="replace").rstrip("\r\n"):
            said.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "STARTTLS":
                return True
            if verb == "EHLO":
                client.sendall(
                    b"250-hop.example\r\n" + (b"250-STARTTLS\r\n" if offer else b"") + b"250 SIZE 100000\r\n"
                )
            elif verb == "DATA":
                client.sendall(b"354 go\r\n")
                while file.readline(4096) not in (b".\r\n", b""):
                    pass
                client.sendall(b"250 2.0.0 kept\r\n")
            elif verb == "QUIT":
                client.sendall(b"221 bye\r\n")
                return False
            else:
                client.sendall(b"250 ok\r\n")
        return False

    def heard(self, address: str) -> str:
        """Return how the recipient was named: in the clear, encrypted, both or not at all."""
        words = [
            name for name in ("clear", "encrypted") if any(address in line for line in getattr(self, name))
        ]
        return " and ".join(words)


Outcome = tuple[str, str, str, str]


@contextlib.contextmanager
def stage() -> Iterator[dict[str, dict[tuple[str, str], Outcome]]]:
    """Have both clients send to each scene at each level; yield what became of it."""
    with a_place() as place, contextlib.ExitStack() as stack:
        authority = Authority()
        chain, key = authority.issue("localhost").write(place, "hop")
        (place / "roots.pem").write_bytes(authority.pem)
        (place / "roots.pem").chmod(0o644)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        found: dict[str, dict[tuple[str, str], Outcome]] = {}
        for kind in ("postfix", "postroad"):
            hops = {scene: Hop(scene, context) for scene in SCENES}
            for hop in hops.values():
                stack.callback(hop.close)
            found[kind] = outcomes(run_client(stack, place, kind, hops), hops)
        yield found


def run_client(
    stack: contextlib.ExitStack, place: Path, kind: str, hops: dict[str, Hop]
) -> Postfix | Postroad:
    cells = [(level, scene) for level in LEVELS for scene in SCENES]
    routes = "".join(
        f"{level}-{scene}@cell.test l-{level}:[localhost]:{hops[scene].port}\n" for level, scene in cells
    )
    main = f"""
transport_maps = texthash:{{etc}}/transport
smtp_host_lookup = native
smtp_tls_CAfile = {place}/roots.pem
smtp_starttls_timeout = 2s
smtp_helo_timeout = 2s
smtp_mail_timeout = 2s
"""
    master = "".join(
        f"l-{level} unix - - n - - smtp -o smtp_tls_security_level={level}\n" for level in LEVELS
    )
    texts = {"main": main, "master": master, "domain": "client.test", "files": {"transport": routes}}
    folder = place / kind
    folder.mkdir(mode=0o755)
    client: Postfix | Postroad
    if kind == "postfix":
        client = stack.enter_context(postfix(folder, "mx", **texts))
    else:
        client = stack.enter_context(Postroad(folder, **texts))
    with smtplib.SMTP(client.host, client.port, "c.test", timeout=30) as session:
        for level, scene in cells:
            session.sendmail("s@client.test", [f"{level}-{scene}@cell.test"], "Subject: x\r\n\r\nx\r\n")
    return client


def outcomes(client: Postfix | Postroad, hops: dict[str, Hop]) -> dict[tuple[str, str], Outcome]:
    found = {}
    for level in LEVELS:
        for scene, hop in hops.items():
            to = f"{level}-{scene}@cell.test"
            pattern = re.compile(
                rf"to=<{re.escape(to)}>.*?, dsn=([\d.]+), status=(\w+) \((.*)\)$", re.MULTILINE
            )
            until(lambda pattern=pattern: pattern.search(client.log()), 30, client.log)
            match = pattern.search(client.log())
            assert match is not None
            why = re.sub(r"localhost\[[^]]*\](:\d+)?", "SERVER", match[3])
            found[level, scene] = (match[2], match[1], "" if match[2] == "sent" else why, hop.heard(to))
    return found


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, dict[tuple[str, str], Outcome]]]:
    with stage() as made:
        yield made


#: Where Postroad is not Postfix: it does not go on with a server that answers more than it was asked,
#: and mail is not returned because a server's TLS is out of order.
_STRICTER: dict[str, Outcome] = {
    "injection": (
        "deferred",
        "4.5.0",
        "protocol error in reply from SERVER while receiving the STARTTLS response",
        "",
    ),
    "never": (
        "deferred",
        "4.5.1",
        "TLS is required, but host SERVER refused to start TLS: 500 5.5.1 what",
        "",
    ),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_client_does_what_postfixs_does(
    found: dict[str, dict[tuple[str, str], Outcome]], level: str, scene: str
) -> None:
    wanted = found["postfix"][level, scene]
    if scene in _STRICTER and (level != "may" or scene == "injection"):
        wanted = _STRICTER[scene]
    assert found["postroad"][level, scene] == wanted


@pytest.mark.parametrize("level", LEVELS[1:])
def test_where_tls_is_demanded_nothing_is_said_in_the_clear(
    found: dict[str, dict[tuple[str, str], Outcome]], level: str
) -> None:
    for scene in SCENES:
        status, _, _, heard = found["postroad"][level, scene]
        assert heard in ("", "encrypted"), scene
        assert status == ("sent" if heard else "deferred"), scene
    assert found["postroad"][level, "good"][3] == "encrypted"
