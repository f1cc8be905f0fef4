"""``postroad start``, ``stop``, ``reload``, ``status`` and ``abort``, as an operator types them."""

import os
import subprocess
import sys

import pytest

from peers.harness import Postroad, a_place, until
from postroad.app.ground import running_pid


class Operator:
    """A configuration, and the commands on it."""

    def __init__(self, place, **rest):
        self.server = Postroad(place, **rest)
        self.queue = str(self.server.work / "queue")

    def __call__(self, *command):
        done = self.server.run(*command)
        return done.returncode, done.stderr

    @property
    def pid(self):
        return running_pid(self.queue)


@pytest.fixture
def place():
    with a_place() as path:
        yield path


@pytest.fixture
def operator(place):
    made = Operator(place)
    yield made
    if made.pid:
        made("abort")


RUNNING = "postfix/postfix-script: the Postfix mail system is running: PID: {}\n"
NOT_RUNNING = "postfix/postfix-script: the Postfix mail system is not running\n"


def test_the_life_of_a_server(operator):
    assert operator("status") == (1, NOT_RUNNING)
    assert operator("start") == (0, "")
    pid = operator.pid
    assert operator("status") == (0, RUNNING.format(pid))
    with operator.server.connect() as client:
        assert client.noop()[0] == 250
    assert operator("start") == (1, f"postroad: fatal: the mail system is already running: PID: {pid}\n")
    assert operator("reload") == (0, "")
    assert operator.pid == pid
    assert operator("stop") == (0, "")
    assert operator("status") == (1, NOT_RUNNING)
    assert "terminating on signal 15" in operator.server.log()


def test_whoever_reads_the_output_of_a_start_is_not_kept_waiting(operator):
    command = [sys.executable, "-m", "postroad", "start", "-c", str(operator.server.etc)]
    done = subprocess.run(command, capture_output=True, timeout=30)  # waits for the end of both pipes
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert operator.pid


def test_a_reload_with_a_problem_tells_it(operator):
    operator("start")
    operator.server.configure("smtpd_timeout = soon\nsmtpd_helo_required = maybe")
    status, said = operator("reload")
    assert status == 1
    assert "smtpd_timeout" in said
    assert "smtpd_helo_required" in said
    assert said.endswith("postroad: the old configuration stays in force\n")


def test_an_abort_ends_it_and_a_start_follows_at_once(operator):
    operator("start")
    first = operator.pid
    assert operator("abort") == (0, "")
    assert operator("start") == (0, "")
    assert operator.pid not in (0, first)


@pytest.mark.parametrize("command", ["stop", "abort", "reload"])
def test_what_does_not_run_cannot_be_told_anything(operator, command):
    assert operator(command) == (1, "postroad: fatal: the mail system is not running\n")


def test_a_start_in_the_background_says_every_problem_with_its_line(operator):
    operator.server.configure("smtpd_timeout = soon\nsmtpd_helo_required = maybe")
    count = (operator.server.etc / "main.cf").read_text().count("\n")
    status, said = operator("start")
    assert status == 1
    assert f"main.cf:{count - 1}: " in said
    assert f"main.cf:{count}: " in said
    assert not operator.pid


def test_a_start_in_the_background_cannot_log_to_a_terminal(operator):
    operator.server.configure("maillog_file = /dev/stdout")
    assert operator("start") == (
        1,
        "postroad: fatal: maillog_file = /dev/stdout needs postroad start --foreground\n",
    )


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    command = [sys.executable, "-m", "postroad", "status", "-c", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{tmp_path}/main.cf: no such file" in done.stderr


@pytest.mark.parametrize("words", [["start", "--background"], ["stop", "--foreground"], ["status", "now"]])
def test_a_word_that_is_not_understood_is_an_error_of_use(operator, words):
    status, said = operator(*words)
    assert status == 2
    assert "usage: postroad" in said


@pytest.mark.parametrize("command", ["start", "stop", "reload", "status", "abort"])
def test_help_is_help_and_does_nothing(operator, command):
    assert operator(command, "--help") == (0, "")
    assert not operator.pid


def test_a_relative_directory_is_the_same_one_after_the_start(operator, monkeypatch):
    monkeypatch.chdir(operator.server.work)
    command = [sys.executable, "-m", "postroad", "start", "-c", "etc"]
    assert subprocess.run(command, timeout=30).returncode == 0
    operator.server.configure("smtpd_banner = second")
    assert operator("reload") == (0, "")
    with operator.server.connect() as client:
        assert client.noop()[0] == 250
    operator("stop")


def test_nothing_is_imported_from_where_the_operator_is(operator, tmp_path, monkeypatch):
    (tmp_path / "apsw.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(tmp_path)
    assert (
        subprocess.run(
            [sys.executable, "-P", "-m", "postroad", "start", "-c", str(operator.server.etc)], timeout=15
        ).returncode
        == 0
    )


def test_a_server_in_the_foreground_is_stopped_by_a_signal(operator):
    with operator.server as server:
        assert operator.pid == server.pid
        os.kill(server.pid, 15)
        until(lambda: not operator.pid)
        assert server.process.wait(30) == 0
