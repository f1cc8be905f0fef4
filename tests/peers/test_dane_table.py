"""Postroad's SMTP client beside Postfix's at the levels dane and dane-only, with signed and unsigned zones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.peer


def test_what_postfix_does_with_tlsa_records_is_done(place: Path) -> None:
    resolver = place / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions trust-ad edns0\n")
    script = Path(__file__).with_name("dane_table.py")
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, str(script), str(resolver)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["postroad"] == found["postfix"]
    # Records that fit or do not were really looked at.
    assert found["postroad"]["ee@only.test"][0] == "sent"
    assert found["postroad"]["other@dane.test"] == ["deferred", "4.7.5", "Server certificate not verified"]
    assert len(found["postroad"]) == 47
