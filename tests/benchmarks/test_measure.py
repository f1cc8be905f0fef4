import os
import subprocess
import sys
import time

import pytest

from benchmarks import measure

BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(1, flush=True)\ninput()"


@pytest.fixture(params=["group", "tree"])
def account(request, tmp_path):
    if request.param == "tree":
        found = measure.Tree()
    else:
        found = measure.group(f"test-{os.getpid()}") if os.geteuid() == 0 else None
        if not isinstance(found, measure.Group):
            pytest.skip("control groups cannot be made here")
    yield found
    found.close()


def test_the_time_and_the_processes_of_a_command_and_its_children_are_counted(account):
    command = [
        sys.executable,
        "-c",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])",
    ]
    process = subprocess.Popen(account.enter(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    account.watch(process.pid)
    process.stdout.readline()
    assert account.cpu() >= 0.25
    assert len(account.pids()) == 2
    assert measure.memory(account.pids()) > 1 << 20
    with measure.Peak(account, pause=0.01) as peak:
        pass
    assert peak.processes == 2
    assert peak.resident >= peak.bytes > 1 << 20
    process.communicate(b"\n")
    assert process.returncode == 0


def test_what_has_ended_is_gone_and_counts_in_a_group(account):
    subprocess.run(
        account.enter([sys.executable, "-c", BUSY]), input=b"\n", stdout=subprocess.DEVNULL, check=True
    )
    assert account.pids() == []
    if not isinstance(account, measure.Tree):  # a tree without its root is forgotten
        assert account.cpu() >= 0.25


def test_processes_that_are_gone_take_no_memory():
    process = subprocess.Popen(["true"])
    process.wait()
    assert measure.memory([process.pid]) == 0


def test_waiting_for_quiet_ends_when_nothing_is_used_and_at_the_limit():
    class Busy:
        seconds = 0.0

        def cpu(self):
            self.seconds += self.step
            return self.seconds

    account = Busy()
    account.step = 0.0
    measure.wait_until_quiet(account, limit=60, pause=0.01)
    account.step = 1.0
    began = time.monotonic()
    measure.wait_until_quiet(account, limit=0.1, pause=0.01)
    assert time.monotonic() - began >= 0.1


def test_the_flushes_of_a_device_are_a_count_or_unknown(tmp_path):
    count = measure.flushes(tmp_path)
    assert count is None or count >= 0


def test_the_machine_has_worked():
    assert measure.machine_busy() > 0
