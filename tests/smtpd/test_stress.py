from __future__ import annotations

import pytest

from postroad.base.log import ListSink, Log
from postroad.smtpd.given import Neighbours
from postroad.smtpd.service import SmtpdService
from postroad.smtpd.stress import Stress

from .conftest import Peer, settings


@pytest.mark.parametrize(
    ("name", "port"), [("smtp", "25"), ("127.0.0.1:2525", "2525"), ("no-such", "no-such")]
)
def test_a_full_service_is_under_stress_for_a_while_and_the_log_has_it_once(name, port):
    now, sink = [50.0], ListSink()
    stress = Stress(name, 7, Log(sink, pid=1), lambda: now[0])
    assert not stress
    stress.reached(False)
    assert stress
    assert sink.lines == []
    now[0] += 1001
    assert not stress
    for _ in range(3):
        stress.reached(True)
    full, avoid, read = sink.lines
    assert full.startswith(
        f'master: warning: service "{name}" ({port}) has reached its process limit "7": new '
    )
    assert avoid.startswith(
        "master: warning: to avoid this condition, increase the process count in master.cf"
    )
    assert "/STRESS_README.html" in read


@pytest.fixture
def pressed(stand):
    """A service of two places with other settings under stress."""
    calm = stand.make(limit=2)
    stressed = settings(smtpd_hard_error_limit="1", mail_name="Stressed")
    SmtpdService(stressed, stand.means, Neighbours(intake=stand.intake), front=calm)
    return calm


async def test_new_sessions_have_the_settings_of_stress(stand, pressed):
    port = await stand.serve()
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).endswith("Postfix")
    assert (await second.reply()).endswith("Postfix")  # it took the last place
    await first.ask("QUIT")
    await first.close()
    third = await Peer.connect(port)
    assert (await third.reply()).endswith("Stressed")
    assert pressed.sessions == 2
    assert await second.ask("BOO", "BOO", "NOOP") == "250 2.0.0 Ok"
    assert (await third.ask("BOO")).startswith("500")
    assert (await third.reply()).startswith("421 4.7.0 ")
    assert sum("has reached its process limit" in line for line in stand.log) == 1
    fourth = await Peer.connect(port)
    assert (await fourth.reply()).endswith("Stressed")
    pressed.stop_accepting()
    assert (await fourth.reply()).startswith("421 4.3.2")
    assert (await second.reply()).startswith("421 4.3.2")
    await pressed.drain(5)
    assert pressed.sessions == 0
