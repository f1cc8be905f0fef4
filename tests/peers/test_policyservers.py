"""Policy servers of others: Postgrey, and one that is killed again and again."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from peers.harness import Postroad, free_port, listening, message, until
from peers.programs import running

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


@pytest.mark.peer
def test_postgrey(place):
    port, folder = free_port(), place / "postgrey"
    folder.mkdir()
    shutil.chown(folder, "postgrey", "postgrey")
    (place / "none").touch()
    command = [
        "postgrey", f"--inet=127.0.0.1:{port}", f"--dbdir={folder}", "--delay=1", "--hostname=mx.example.test",
        f"--whitelist-clients={place}/none", f"--whitelist-recipients={place}/none",
    ]  # fmt: skip
    main = (
        f"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:{port}\nsmtpd_error_sleep_time=0"
    )
    with (
        running(command, ("127.0.0.1", port), place / "postgrey.log"),
        Postroad(place, main=main) as server,
    ):

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


def _started(script: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-S", str(script), str(port)])
    until(lambda: ("127.0.0.1", port) in listening())
    return process


@pytest.mark.peer
def test_a_policy_server_that_is_killed_under_load_lets_nobody_pass(place):
    port, script = free_port(), place / "policy.py"
    script.write_text(_SERVER)
    main = (
        "smtpd_recipient_restrictions = check_policy_service "
        f"{{ inet:127.0.0.1:{port}, timeout=5s, try_limit=1 }}\n"
        "smtpd_error_sleep_time = 0\nsmtpd_hard_error_limit = 100000\nsmtpd_soft_error_limit = 100000"
    )
    codes: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with server.connect() as client:
                client.ehlo()
                client.mail("a@example.net")
                codes.extend(client.rcpt("alice@example.test")[0] for _ in range(50))

    process = _started(script, port)
    with Postroad(place, main=main, workers=2) as server:
        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(4):
                before = codes.count(554)
                until(lambda before=before: codes.count(554) > before + 20)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                failed = codes.count(451)
                until(lambda failed=failed: codes.count(451) > failed)
                time.sleep(0.05)
                process = _started(script, port)
        finally:
            over.set()
            for thread in threads:
                thread.join()
            process.kill()
            process.wait()
        assert set(codes) == {451, 554}
        assert f"warning: problem talking to server 127.0.0.1:{port}: " in server.log()
