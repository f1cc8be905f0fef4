"""stunnel, which gives smtp-source and smtp-sink the TLS that they lack: STARTTLS on both sides of a server.

It runs on the same processors, and takes of them for each server alike.
"""

import contextlib
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from benchmarks.measure import TICK
from benchmarks.peers.peer import program
from benchmarks.server import NotServingError

_CONF = """foreground = yes
debug = 3
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[smtp]
client = {client}
accept = 127.0.0.1:{accept}
connect = 127.0.0.1:{connect}
protocol = smtp
{more}
"""


class Tunnel:
    """From ``accept`` to ``connect``; as client it says STARTTLS there, else it offers it here."""

    def __init__(self, place: Path, accept: int, connect: int, *, client: bool, certificate: Path) -> None:
        self._accept = accept
        self._file = place / f"stunnel-{accept}.conf"
        more = "" if client else f"cert = {certificate}"
        said = "yes" if client else "no"
        self._file.write_text(_CONF.format(client=said, accept=accept, connect=connect, more=more))

    def __enter__(self) -> Self:
        command = [str(program("stunnel")), str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._accept), 1).close()
                return self
            time.sleep(0.02)
        self.__exit__()
        raise NotServingError("stunnel does not listen")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def cpu(self) -> float:
        """Return the CPU seconds that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def certificate(path: Path) -> Path:
    """Make a certificate (ECDSA, P-256) and its key in one file, which everybody may read."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(path), "-out", f"{path}.crt", "-days", "30", "-subj", "/CN=bench.example"]
    subprocess.run(command, check=True, capture_output=True)
    chain = Path(f"{path}.crt")
    path.write_bytes(path.read_bytes() + chain.read_bytes())
    chain.unlink()
    path.chmod(0o644)
    return path
