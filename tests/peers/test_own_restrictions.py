"""greylist and check_python in a running server with several workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from peers.harness import Postroad, until

EXAMPLE = Path(__file__).parents[2] / "examples/refuse_by_python.py"
_QUIET = "smtpd_error_sleep_time = 0\n"


def rcpt(server: Postroad, recipient: str, sender: str = "a@example.net") -> tuple[int, bytes]:
    with server.connect() as client:
        client.ehlo()
        client.mail(sender)
        return client.rcpt(recipient)


@pytest.mark.peer
def test_workers_share_what_they_have_seen(place):
    main = _QUIET + "smtpd_recipient_restrictions = greylist\ngreylist_delay = 2\ngreylist_auto_allow = 1"
    with Postroad(place, main=main, workers=2) as server:
        for _ in range(8):  # the kernel spreads connections over the workers
            code, text = rcpt(server, "alice@example.test")
            assert code == 450
            assert b"Greylisted, try again in " in text
        until(lambda: rcpt(server, "alice@example.test")[0] == 250, 30, server.log, 0.2)
        assert {rcpt(server, "bob@example.test")[0] for _ in range(8)} == {250}
        server.stop()
        server.start()
        assert rcpt(server, "bob@example.test", "new@example.net")[0] == 250


@pytest.mark.peer
def test_a_function_of_the_configuration_directory_decides(place):
    main = _QUIET + "smtpd_recipient_restrictions = check_python refuse_by_python:invoices"
    server = Postroad(place, main=main, users=["alice", "invoice"])
    file = server.etc / EXAMPLE.name
    shutil.copy(EXAMPLE, file)
    file.chmod(0o644)
    with server:
        code, text = rcpt(server, "invoice@example.test")
        assert (code, text) == (
            550,
            b"5.7.1 <invoice@example.test>: Recipient address rejected: Send invoices over TLS",
        )
        assert rcpt(server, "alice@example.test")[0] == 250
        file.write_text("def invoices(facts):\n    raise RuntimeError('no rules today')\n")
        assert server.reload().returncode == 0
        until(lambda: rcpt(server, "alice@example.test")[0] == 451)
        server.wait_log("check_python refuse_by_python:invoices: RuntimeError: no rules today")
        file.write_text("invoices = (\n")
        done = server.reload()
        assert done.returncode != 0
        assert "cannot import refuse_by_python: SyntaxError" in done.stdout + done.stderr
        assert rcpt(server, "alice@example.test")[0] == 451
        assert not (server.etc / "__pycache__").exists()
