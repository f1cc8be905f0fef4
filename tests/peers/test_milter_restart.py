"""OpenDKIM is killed and started again while mail comes: none is lost, and none goes out unsigned."""

from __future__ import annotations

import contextlib
import smtplib
import threading
import time
from pathlib import Path

import pytest

from filters.test_opendkim import _CONF, _keys
from peers.harness import Postroad, free_port, message
from peers.programs import running

pytestmark = pytest.mark.peer
SENDERS, EACH = 4, 12


def test_no_mail_is_lost_or_unsigned_when_the_milter_dies(place: Path) -> None:
    _keys(place)
    (place / "internal").write_text("127.0.0.1\n")
    (place / "conf").write_text(_CONF.format(place=place))
    port = free_port()
    command = ["opendkim", "-f", "-x", str(place / "conf"), "-p", f"inet:{port}@127.0.0.1"]
    main = f"smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\nmilter_connect_timeout = 2s"
    put_off: list[tuple[int, bytes]] = []

    def send(server: Postroad, sender: int) -> None:
        left = [message(f"number {sender}.{each}", From="s@example.org") for each in range(EACH)]
        while left:
            with contextlib.suppress(OSError, smtplib.SMTPServerDisconnected), server.connect() as client:
                client.ehlo()
                while left:
                    code, text = client.mail("s@example.org")
                    if code == 250:
                        client.rcpt("alice@example.test")
                        code, text = client.data(left[0])
                    if code == 250:
                        left.pop(0)
                    else:
                        assert code in (451, 421), (code, text)
                        put_off.append((code, text))
                        client.rset()
                        time.sleep(0.05)
                        break

    with contextlib.ExitStack() as stack, Postroad(place, main=main, workers=2) as server:
        milter = stack.enter_context(running(command, ("127.0.0.1", port), place / "out"))
        threads = [threading.Thread(target=send, args=(server, number)) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        server.wait_mail("alice", 5, 30)
        milter.kill()
        milter.wait()
        server.wait_log("milter-reject|451 4.7.1", 3, 30)
        again = stack.enter_context(running(command, ("127.0.0.1", port), place / "out2"))
        for thread in threads:
            thread.join()
        found = server.wait_mail("alice", SENDERS * EACH, 60)
        again.kill()
    assert put_off
    assert len(found) == SENDERS * EACH  # the reply to each was heard: none came twice
    assert [each for each in found if b"\nDKIM-Signature: v=1;" not in each] == []
