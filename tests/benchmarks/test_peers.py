from pathlib import Path

import pytest
from benchmarks.peers import conf, made
from benchmarks.peers.haraka import Haraka
from benchmarks.peers.peer import Plan
from benchmarks.peers.postroad import Postroad
from benchmarks.scenarios import LOADS

from postroad.admin.check import check
from postroad.app.checks import FURTHER
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.errors import Severity
from postroad.base.params import Facts

PLACE = Path("/srv/bench")
FACTS = Facts(hostname="mail.example.com", config_directory="/etc/postroad", interfaces=("127.0.0.1/8",))


@pytest.mark.parametrize("mode", ["relay", "accept", "lmtp", "local"])
def test_the_settings_are_ones_that_we_know_and_obey(mode):
    main, master = conf.main_cf(PLACE, "nobody", Plan(mode, patient=True)), conf.master_cf(25, Plan())
    problems = check(load_texts(main, master, "/etc/postroad", registry(), FACTS), FURTHER)
    assert [str(problem) for problem in problems if problem.severity is Severity.ERROR] == []


def test_every_mode_of_a_cell_has_a_configuration():
    assert {cell.mode for cell in LOADS} <= conf.NEXT_HOP.keys()


def test_both_are_given_the_same_but_for_the_owner():
    ours, theirs = (conf.main_cf(PLACE, owner, Plan()).splitlines() for owner in ("nobody", "postfix"))
    assert [line for line in ours if line not in theirs] == ["mail_owner = nobody"]


def test_more_sessions_than_processes_lift_the_limit():
    assert "inet n - n - - smtpd" in conf.master_cf(25, Plan(sessions=200))
    assert "inet n - n - 0 smtpd" in conf.master_cf(25, Plan(sessions=1000))


def test_a_queue_is_kept_when_the_plan_says_so(tmp_path):
    peer = Postroad(tmp_path / "postroad")
    for name in ("queue", "log"):
        (peer.place / name).mkdir(parents=True)
        (peer.place / name / "file").touch()
    peer.clear(keep_queue=True)
    assert (peer.queue / "file").exists()
    assert not (peer.place / "log").exists()
    peer.clear(keep_queue=False)
    assert list(peer.place.iterdir()) == []


def test_a_server_that_is_not_installed_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Haraka, "installed", tmp_path / "nowhere")
    assert list(made(["postroad", "haraka"], tmp_path)) == ["postroad"]
    assert "haraka is left out" in capsys.readouterr().out


def test_haraka_defers_by_its_plugin_and_speaks_lmtp_when_told():
    peer = Haraka(PLACE)
    assert '"defer": true' in peer.files(Plan("accept"))["bench.json"]
    assert '"using_lmtp": true' in peer.files(Plan("lmtp"))["bench.json"]
    assert '"using_lmtp": false' in peer.settings()
