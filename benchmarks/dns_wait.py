"""What sessions that wait for a slow list in the DNS cost those that do not ask it, and the processor.

    python benchmarks/dns_wait.py [SESSIONS]

A DNS of our own answers after five seconds.  Clients of 127.1.0.0/16 are asked about there, others are not.
Printed: how long RCPT TO takes the others beside no waiting session, beside idle ones and beside waiting ones
(milliseconds, p50 and p99), and the server's CPU time meanwhile.  In that time the questions are asked once
more, for the first were not answered; so there is also the CPU time of a rest in which nobody says anything.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LATE = 5.0  # seconds
REST = 1.5  # shorter than the time after which a question is asked again
_MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.test
mydestination = example.test
alias_maps =
local_recipient_maps =
local_transport = discard:
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.1/32
mail_owner = nobody
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/maillog
maillog_file_prefixes = /
resolver_addresses = [127.0.0.1]:{dns}
smtpd_peername_lookup = no
worker_processes = 1
default_process_limit = 5000
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_junk_command_limit = 1000000
slow = reject_rbl_client list.example, reject_rhsbl_sender names.example
smtpd_restriction_classes = slow
smtpd_recipient_restrictions = check_client_access cidr:{place}/clients, reject_unauth_destination
"""
_MASTER = """\
{port} inet n - n - - smtpd
discard unix - - n - - discard
error unix - - n - - error
smtp unix - - n - - smtp
"""


class SlowDns:
    """Says after LATE seconds that there is no such name."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.asked = 0
        self._due: deque[tuple[float, bytes, tuple[str, int]]] = deque()
        threading.Thread(target=self._hear, daemon=True).start()
        threading.Thread(target=self._say, daemon=True).start()

    def _hear(self) -> None:
        while True:
            question, peer = self._socket.recvfrom(4096)
            self.asked += 1
            end = question.index(b"\0", 12) + 5
            answer = question[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + question[12:end]  # NXDOMAIN
            self._due.append((time.monotonic() + LATE, answer, peer))

    def _say(self) -> None:
        while True:
            while self._due and self._due[0][0] <= time.monotonic():
                _, answer, peer = self._due.popleft()
                self._socket.sendto(answer, peer)
            time.sleep(0.005)


class Talk:
    """A client with an address of its own, behind EHLO."""

    def __init__(self, port: int, address: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60, (address, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read()
        self.say(b"EHLO client.example\r\n")
        self.say(b"MAIL FROM:<a@example.net>\r\n")

    def send(self, line: bytes) -> None:
        self._socket.sendall(line)

    def read(self) -> bytes:
        said = b""
        while not (said.endswith(b"\r\n") and said.splitlines()[-1][3:4] == b" "):
            more = self._socket.recv(4096)
            if not more:
                raise ConnectionError("the server has hung up")
            said += more
        return said

    def say(self, line: bytes) -> bytes:
        self.send(line)
        return self.read()

    def close(self) -> None:
        self._socket.close()


@contextmanager
def server(place: Path, port: int, dns: int) -> Iterator[int]:
    """Run Postroad; yields its process group."""
    for name in ("queue", "data"):
        (place / name).mkdir()
        if os.geteuid() == 0:
            os.chown(place / name, 65534, 65534)
    (place / "main.cf").write_text(_MAIN.format(place=place, dns=dns))
    (place / "clients").write_text("127.1.0.0/16 slow\n")
    (place / "master.cf").write_text(_MASTER.format(port=port))
    ours, theirs = os.pipe()
    command = [
        sys.executable,
        "-m",
        "postroad",
        "start",
        "--foreground",
        f"--ready-fd={theirs}",
        "-c",
        str(place),
    ]
    process = subprocess.Popen(command, pass_fds=[theirs], start_new_session=True)
    os.close(theirs)
    try:
        if os.read(ours, 5) != b"ready":
            sys.exit("the server did not start")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        os.close(ours)


def cpu(session: int) -> float:
    """Return the CPU seconds of all processes of a session."""
    spent = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == session:
                spent += sum(int(each.read_text().split()[0]) for each in entry.glob("task/*/schedstat"))
        except OSError:
            continue
    return spent / 1e9


def resting(session: int) -> float:
    """Return the CPU milliseconds of a rest."""
    before = cpu(session)
    time.sleep(REST)
    return (cpu(session) - before) * 1000


def latencies(port: int, seconds: float) -> list[float]:
    """Return how long each RCPT TO of a client took that nobody asks the DNS about, in milliseconds."""
    talk, found = Talk(port, "127.0.0.2"), []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        answer = talk.say(b"RCPT TO:<bob@example.test>\r\n")
        found.append((time.perf_counter() - began) * 1000)
        if not answer.startswith(b"250"):
            sys.exit(f"refused: {answer!r}")
        talk.say(b"RSET\r\n")
        talk.say(b"MAIL FROM:<a@example.net>\r\n")
        time.sleep(0.005)
    talk.close()
    return found


def show(name: str, found: list[float], spent: float) -> None:
    cuts = statistics.quantiles(found, n=100)
    print(f"{name:28} {len(found):6} {cuts[49]:8.2f} {cuts[98]:8.2f} {spent:8.2f}", flush=True)


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    dns = SlowDns()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        with server(place, port, dns.port) as session:
            measure(session, port, count, dns)


def measure(session: int, port: int, count: int, dns: SlowDns) -> None:
    print(f"{'beside':28} {'RCPTs':>6} {'p50 ms':>8} {'p99 ms':>8} {'CPU s':>8}   in {LATE - 1:.0f} s")
    latencies(port, 1)  # warm

    def watched(name: str) -> None:
        before = cpu(session)
        found = latencies(port, LATE - 1)
        show(name, found, cpu(session) - before)

    watched("no other session")
    rests = {"no other session": resting(session)}
    talks = [Talk(port, f"127.1.{number // 250}.{number % 250 + 1}") for number in range(count)]
    watched(f"{count} idle sessions")
    rests["idle"] = resting(session)
    ask(talks, dns, count)
    watched(f"{count} waiting for the DNS")
    taken = sum(talk.read().startswith(b"250") for talk in talks)
    print(f"the DNS was asked {dns.asked} times; {taken} of {count} were taken in the end")
    before = dns.asked
    for number, talk in enumerate(talks):  # another list, whose answers nobody remembers
        talk.say(b"RSET\r\n")
        talk.say(b"MAIL FROM:<a@n%d.example>\r\n" % number)
    ask(talks, dns, before + count)
    rests["waiting"] = resting(session)
    print(f"CPU ms in {REST} s of rest: " + ", ".join(f"{name} {spent:.1f}" for name, spent in rests.items()))
    for talk in talks:
        talk.close()


def ask(talks: list[Talk], dns: SlowDns, count: int) -> None:
    """Let everybody ask, and wait until the DNS has heard of ``count`` questions in all."""
    for talk in talks:
        talk.send(b"RCPT TO:<alice@example.test>\r\n")
    end = time.monotonic() + LATE
    while dns.asked < count and time.monotonic() < end:
        time.sleep(0.01)


if __name__ == "__main__":
    main()
