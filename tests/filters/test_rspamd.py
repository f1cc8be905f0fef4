"""Rspamd's milter, without rules: it knows the test message that every filter knows."""

import os
import shutil
from pathlib import Path

import pytest

from filters.conftest import whole
from peers.harness import a_place, free_port
from peers.programs import running
from postroad.model.reply import Reply

HEADER = b"Received: from x\r\nFrom: s@example.net\r\nTo: u@example.org\r\nSubject: x\r\nMessage-Id: <1@example.org>\r\n"
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
_CONF = """\
options {{
  pidfile = "{place}/pid"; control_socket = "{place}/control.sock mode=0600"; hs_cache_dir = "{place}";
  filters = ""; disable_hyperscan = true; url_tld = "{place}/tld"; temp_dir = "{place}";
  dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; }}
}}
lang_detection {{ languages = []; }}
logging {{ type = "console"; level = "notice"; }}
modules {{ path = "{place}/none"; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}"; milter = yes; timeout = 20s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""


def _own(place: Path) -> None:
    for path in (place, *place.iterdir()):
        shutil.chown(path, "_rspamd", "_rspamd")


@pytest.fixture(scope="module")
def rspamd():
    with a_place() as place:
        port = free_port()
        (place / "none").mkdir()
        (place / "tld").write_text("com\norg\nnet\n")
        (place / "conf").write_text(_CONF.format(place=place, port=port))
        command = ["rspamd", "-f", "-c", str(place / "conf")]
        if os.geteuid() == 0:
            _own(place)
            command += ["-u", "_rspamd", "-g", "_rspamd"]
        with running(command, ("127.0.0.1", port), place / "out", 30):
            yield f"inet:127.0.0.1:{port}"


async def test_two_messages_of_one_session(bench, rspamd):
    chain = await bench.chain(rspamd)
    assert (await whole(chain, HEADER, b"hello\r\n")).is_plain
    chain.session.transaction.recipients.clear()
    await chain.mail()
    await chain.recipient("u@example.org")
    await chain.data()
    outcome = await chain.message(HEADER, lambda: iter([b"hello\r\n", GTUBE]))
    assert outcome.reply == Reply(554, "5.7.1", "Gtube pattern")
    assert len(bench.lines) == 1
