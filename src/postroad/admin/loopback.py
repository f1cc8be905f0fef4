"""Servers of our own on loopback, each with a configuration in a directory that goes away with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from postroad.base.errors import PostroadError

_START = 15.0  # seconds until every socket must listen
_STOP = 5.0
_TRIES = 3  # another program may take a port between the look for a free one and the bind
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd{overrides}
smtp    unix - - n - - smtp
virtual unix - - n - - virtual
local   unix - - n - - local
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
mail_owner = {owner}
worker_processes = 1
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_base = {directory}/mail
virtual_minimum_uid = {uid}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""


class StartFailed(PostroadError):  # noqa: N818 - what became of a start
    """A server did not start; the message is what it said."""


def owner() -> tuple[str, int, int]:
    """Return who the servers run as: nobody for the super-user, else ourselves (name, uid, gid)."""
    entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if entry is not None:
        return entry.pw_name, entry.pw_uid, entry.pw_gid
    uid = os.geteuid()
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name, uid, os.getegid()
    return str(uid), uid, os.getegid()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LoopbackServer:
    """One server.  ``settings`` are lines of main.cf that it has besides; ``port`` is known once it runs.

    ``overrides`` are settings of its smtpd service alone.
    """

    def __init__(self, directory: Path, settings: str, overrides: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self._overrides = "".join(
            f"\n  -o {{ {name} = {value} }}" for name, value in (overrides or {}).items()
        )
        self.port = 0
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def mail(self) -> Path:
        """Return the directory that mailboxes are in."""
        return self.directory / "mail"

    @property
    def certificate(self) -> Path:
        """Return the file of the certificate that it made for itself."""
        return self.directory / "data/tls/self-signed.pem"

    def log(self) -> str:
        """Return its mail log so far."""
        try:
            return (self.directory / "log").read_text("utf-8", "replace")
        except OSError:
            return ""

    async def start(self) -> None:
        """Start it; returns when it listens.  StartFailed."""
        name, uid, gid = owner()
        for path in (self.directory, self.mail):
            path.mkdir(mode=0o755)
            path.chmod(0o755)  # whatever the umask says
        if os.geteuid() == 0:
            os.chown(self.mail, uid, gid)
        places = {"directory": self.directory, "owner": name, "uid": uid, "gid": gid}
        (self.directory / "main.cf").write_text(_MAIN.format_map(places) + self._settings, "utf-8")
        said = ""
        for _ in range(_TRIES):
            self.port = free_port()
            (self.directory / "master.cf").write_text(
                _MASTER.format(port=self.port, overrides=self._overrides), "utf-8"
            )
            said = await asyncio.to_thread(self._launch)
            if not said:
                return
            if "bind " not in said:
                break
        raise StartFailed(said)

    def _launch(self) -> str:
        """Start the process; return "" once it is ready, else what it said."""
        read_end, write_end = os.pipe()
        command = [sys.executable, "-m", "postroad", "start", "--foreground", f"--ready-fd={write_end}"]
        errors = self.directory / "errors"
        with errors.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*command, "-c", str(self.directory)],
                pass_fds=[write_end],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the terminal's ^C is ours to answer
            )
        os.close(write_end)
        try:
            if _read_in_time(read_end) == b"ready":
                return ""
        finally:
            os.close(read_end)
        self._end(signal.SIGKILL)
        return errors.read_text("utf-8", "replace").strip() or f"no server after {_START:.0f} s"

    async def stop(self) -> None:
        """Stop it; what does not stop in time is killed."""
        await asyncio.to_thread(self._end, signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_in_time(fd: int) -> bytes:

    ready, _, _ = select.select([fd], [], [], _START)
    return os.read(fd, 16) if ready else b""
