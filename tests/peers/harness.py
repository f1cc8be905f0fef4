"""A running Postroad with a configuration of its own, as a context manager.

Every server listens on its own loopback address (``127.0.0.N``), so that several of them can share one
port number and reach each other through MX records.  All files are below ``place``, a directory that
the workers' user may enter (the fixture of that name).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")
START_TIME = STOP_TIME = 30.0  # seconds

_MAIN = """\
compatibility_level = 3.6
myhostname = {name}.example.test
mydestination =
alias_maps =
inet_interfaces = {host}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mail_owner = nobody
queue_directory = {work}/queue
data_directory = {work}/data
maillog_file = {work}/maillog
maillog_file_prefixes = /
resolver_addresses = [127.0.0.1]:1
smtpd_peername_lookup = no
worker_processes = {workers}
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = inline:{{{users}}}
virtual_mailbox_base = {work}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""
_MASTER = """\
{port} inet n - n - - smtpd
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
lmtp      unix - - n - - lmtp
virtual   unix - n n - - virtual
local     unix - n n - - local
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
"""


class Postroad:
    """One server.  ``main`` and ``master`` are appended to a small working configuration.

    ``users`` have a Maildir each in ``domain``; every other address there is unknown.
    ``files`` are written into the configuration directory; ``{etc}``, ``{work}``, ``{host}`` and
    ``{port}`` in ``main``, ``master`` and them stand for what the server got.
    """

    def __init__(
        self,
        place: Path,
        *,
        name: str = "mx",
        main: str = "",
        master: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        domain: str = "example.test",
        users: Sequence[str] = ("alice", "bob"),
        workers: int = 1,
        files: dict[str, str] | None = None,
    ) -> None:
        self.host, self.domain = host, domain
        self.port = port or free_port(host)
        self.work = place / name
        self.etc = self.work / "etc"
        self.mail = self.work / "mail"
        self.process: subprocess.Popen[bytes] | None = None
        self.etc.mkdir(parents=True)
        owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        for path in (self.work, self.etc):
            path.chmod(0o755)
        for path in (self.work / "queue", self.work / "data", self.mail):
            path.mkdir()
            os.chown(path, *owner)
        self._values = {"etc": self.etc, "work": self.work, "host": host, "port": self.port, "name": name}
        listed = ", ".join(f"{user}@{domain}={user}/" for user in users)
        base = _MAIN.format(
            **self._values, domain=domain, users=listed, workers=workers, uid=owner[0], gid=owner[1]
        )
        self.write("main.cf", base + self._filled(main) + "\n")
        self.write("master.cf", _MASTER.format(port=self.port) + self._filled(master) + "\n")
        for file, text in (files or {}).items():
            self.write(file, self._filled(text))

    def _filled(self, text: str) -> str:
        return re.sub(r"\{(etc|work|host|port)\}", lambda found: str(self._values[found[1]]), text)

    def write(self, file: str, text: str) -> Path:
        """Write a file of the configuration directory."""
        path = self.etc / file
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def configure(self, text: str) -> None:
        """Append to main.cf; in force after ``reload``."""
        with (self.etc / "main.cf").open("a", encoding="utf-8") as file:
            file.write(self._filled(text) + "\n")

    # --- its life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        ended = self.process and self.process.poll()
        try:
            self.stop()
        finally:
            if kind is not None and ended is not None:
                print(f"--- {self.work.name} had ended with status {ended}")  # noqa: T201
            if kind is not None:
                print(f"--- log of {self.work.name}\n{self.log()}{self.output()}")  # noqa: T201

    def start(self, *, within: str = "") -> None:
        """Start it and wait until it serves.  ``within`` names a program to run it under."""
        ours, theirs = os.pipe()
        command = [sys.executable, "-m", "postroad", "start", "--foreground", f"--ready-fd={theirs}"]
        with (self.work / "output").open("ab") as output, os.fdopen(ours, "rb") as said:
            self.process = subprocess.Popen(
                [*within.split(), *command, "-c", str(self.etc)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[theirs],
            )
            os.close(theirs)
            ready = bool(select.select([said], [], [], START_TIME)[0]) and said.read(5) == b"ready"
        if not ready:
            self.stop()
            raise AssertionError(f"the server did not start:\n{self.log()}{self.output()}")

    def stop(self) -> int:
        """Stop it cleanly; returns its exit status (it fails the test if it does not stop)."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIME)
        finally:
            _kill_group(process.pid)
            process.wait()

    def kill9(self) -> None:
        """Kill every process of it at once."""
        process, self.process = self.process, None
        assert process is not None
        _kill_group(process.pid)
        process.wait()
        until(lambda: (self.host, self.port) not in listening(), 30)

    def reload(self) -> subprocess.CompletedProcess[str]:
        return self.run("reload")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def pids(self, word: str = "") -> list[int]:
        """Return its processes whose command line has ``word``, the oldest first."""
        return [each for each in _session(self.pid) if word in _command(each)]

    # --- what it knows

    def run(
        self, *command: str, stdin: bytes | str = "", timeout: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run ``postroad COMMAND -c DIR ...``; the caller looks at the exit status."""
        tool, *rest = command
        given = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(
            [sys.executable, "-m", "postroad", tool, "-c", str(self.etc), *rest],
            input=given,
            capture_output=True,
            timeout=timeout,
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
        )

    def log(self) -> str:
        """Return the mail log so far."""
        path = self.work / "maillog"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def output(self) -> str:
        """Return what it wrote to its standard output and error."""
        path = self.work / "output"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def queue(self) -> list[dict[str, Any]]:
        """Return the queue as ``postqueue -j`` shows it."""
        done = self.run("postqueue", "-j")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def mailbox(self, user: str) -> list[bytes]:
        """Return the messages in a user's Maildir, the oldest first."""
        folder = self.mail / user / "new"
        files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []
        return [path.read_bytes() for path in files]

    def wait_mail(self, user: str, count: int = 1, seconds: float = 30) -> list[bytes]:
        """Wait until the Maildir has so many messages; return them."""
        until(
            lambda: len(self.mailbox(user)) >= count, seconds, lambda: f"{len(self.mailbox(user))} of {count}"
        )
        return self.mailbox(user)

    def wait_log(self, pattern: str, count: int = 1, seconds: float = 30) -> list[str]:
        """Wait until so many log lines match; return them."""

        def lines() -> list[str]:
            return [line for line in self.log().splitlines() if re.search(pattern, line)]

        until(
            lambda: len(lines()) >= count, seconds, lambda: f"{len(lines())} lines of {count} for {pattern}"
        )
        return lines()

    def wait_empty(self, seconds: float = 30) -> None:
        """Wait until the queue is empty."""
        until(lambda: not self.queue(), seconds, lambda: str(self.queue()))

    # --- speaking to it

    def connect(self, timeout: float = 30) -> smtplib.SMTP:
        """Return a client that has read the greeting."""
        return smtplib.SMTP(self.host, self.port, local_hostname="client.example", timeout=timeout)

    def send(
        self, sender: str, recipients: str | Sequence[str], content: bytes | str, options: Sequence[str] = ()
    ) -> dict[str, tuple[int, bytes]]:
        """Send one message in a session of its own; returns the recipients that were refused."""
        with self.connect() as client:
            return client.sendmail(sender, recipients, content, mail_options=options)


def until(
    condition: Callable[[], object],
    seconds: float = 30,
    explain: Callable[[], str] = lambda: "",
    every: float = 0.03,
) -> None:
    """Wait until the condition holds; fail after so many seconds, with an explanation."""
    end = time.monotonic() + seconds
    while True:
        late = (
            time.monotonic() > end
        )  # before the look: one comes after the end, however long the last one took
        if condition():
            return
        if late:
            raise AssertionError(f"not within {seconds} s. {explain()}")
        time.sleep(every)


#: Ports below those that the system gives to clients, in an order of this process's own: so no two
#: servers of a test get the same, and no client's connection has one in the meantime.
_PORTS = itertools.cycle(random.Random(os.getpid()).sample(range(12000, 32000), 20000))


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody uses on any of 127/8, another one each time."""
    for port in _PORTS:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("0.0.0.0", port) if host.startswith("127.") else (host, port))
            return port
    raise AssertionError("no free port")


def listening() -> set[tuple[str, int]]:
    """Return who listens on IPv4, from the kernel's table: asking so disturbs no server."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    found = set()
    for row in rows:
        if row[3] == "0A":
            address, _, port = row[1].partition(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def _session(leader: int) -> Iterator[int]:
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                yield int(entry.name)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def message(subject: str = "A test", body: str = "Hello.\r\n", **fields: str) -> bytes:
    """Return a small message; keyword arguments are header fields, ``_`` standing for ``-``."""
    base = {"From": "sender@client.example", "To": "alice@example.test", "Subject": subject}
    base |= {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in base.items())
    return (head + "\r\n" + body).encode()


def make_place(root: str | None = None) -> Path:
    """Make a short-named directory that every user may enter."""
    import tempfile

    place = Path(tempfile.mkdtemp(prefix="pr-", dir=root))
    place.chmod(0o755)
    return place


@contextlib.contextmanager
def a_place() -> Iterator[Path]:
    """A directory for servers, gone afterwards."""
    place = make_place()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
