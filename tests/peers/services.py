"""Programs that a server asks about mail, Rspamd and Postgrey, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Self

from peers.harness import listening, until
from peers.programs import running


class Service:
    """A program that listens on ``port`` of 127.0.0.1; as often as it is started with the same command."""

    def __init__(self, command: list[str], port: int, output: Path) -> None:
        self._command, self.port, self._output = command, port, output
        self._running = contextlib.ExitStack()
        self._group = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it listens then."""
        listens = ("127.0.0.1", self.port)
        process = self._running.enter_context(running(self._command, listens, self._output, 30))
        self._group = process.pid

    def kill(self) -> None:
        """Kill every process of it at once; nobody listens then."""
        group, self._group = self._group, 0
        if group:
            os.killpg(group, signal.SIGKILL)
        self._running.close()
        until(lambda: ("127.0.0.1", self.port) not in listening(), 30)


_RSPAMD = """\
options {{
  pidfile = "{home}/pid"; control_socket = "{home}/control.sock mode=0600"; hs_cache_dir = "{home}";
  filters = ""; disable_hyperscan = true; url_tld = "{home}/tld"; temp_dir = "{home}";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }}
}}
lang_detection {{ languages = []; }}
logging {{ type = "console"; level = "notice"; }}
modules {{ path = "{home}/modules"; }}
milter_headers {{
  use = ["x-rspamd-queue-id", "x-rspamd-server"]; skip_local = false; skip_authenticated = false;
}}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}"; milter = yes; timeout = 20s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""
_MILTER_HEADERS = Path("/usr/share/rspamd/plugins/milter_headers.lua")
#: What every filter knows.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"


def rspamd(place: Path, port: int, *, marks: bool = True) -> Service:
    """Return an Rspamd without rules: it knows GTUBE, and ``marks`` what it passes with the queue id."""
    home = place / "rspamd"
    (home / "modules").mkdir(parents=True)
    (home / "tld").write_text("com\norg\nnet\n")
    if marks:
        (home / "modules" / _MILTER_HEADERS.name).symlink_to(_MILTER_HEADERS)
    (home / "conf").write_text(_RSPAMD.format(home=home, port=port))
    command = ["rspamd", "-f", "-c", str(home / "conf")]
    if os.geteuid() == 0:
        for path in (home, home / "modules", home / "tld", home / "conf"):
            shutil.chown(path, "_rspamd", "_rspamd")
        command += ["-u", "_rspamd", "-g", "_rspamd"]
    return Service(command, port, place / "rspamd.out")


def postgrey(place: Path, port: int, delay: int) -> Service:
    """Return a Postgrey that knows nobody, and whose greylisting takes so many seconds; it needs root."""
    home = place / "postgrey"
    home.mkdir()
    shutil.chown(home, "postgrey", "postgrey")
    (place / "none").touch()
    command = [
        "postgrey", f"--inet=127.0.0.1:{port}", f"--dbdir={home}", f"--delay={delay}",
        "--hostname=mx.example.test", "--auto-whitelist-clients=0",
        f"--whitelist-clients={place}/none", f"--whitelist-recipients={place}/none",
    ]  # fmt: skip
    return Service(command, port, place / "postgrey.out")
