"""Appending to a mailbox file: locked, synced, undone when it fails."""

from __future__ import annotations

import fcntl
import os

import pytest

from postroad.delivery.mailbox import mbox
from postroad.delivery.mailbox.request import Locking
from postroad.model.message import Text

BODY = Text(b"Subject: x\r\n\r\nFrom here\r\n")
WHOLE = (
    b"From a@example.net  Mon Nov 23 06:00:01 2026\n"
    b"Return-Path: <a@example.net>\nDelivered-To: bob@box.test\n"
    b"Subject: x\n\n>From here\n\n"
)


@pytest.fixture
def deliver(delivery, clock):
    def write(path="bob", content=BODY, sleep=lambda _: None, **facts):
        return mbox.deliver(delivery(path, **facts), content, clock, sleep)

    return write


def test_messages_follow_each_other(base, deliver):
    assert deliver() == deliver() == mbox.DELIVERED
    assert (base / "bob").read_bytes() == WHOLE * 2
    assert (base / "bob").stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in base.iterdir()] == ["bob"]


def test_a_file_that_would_grow_over_the_limit_bounces_and_stays_as_it_was(base, deliver):
    deliver()
    result = deliver(limit=len(WHOLE) * 2 - 1)
    assert (result.status, result.text) == (
        "5.2.2",
        f"delivery failed to mailbox {base}/bob: error writing message: File too large",
    )
    assert (base / "bob").read_bytes() == WHOLE
    assert deliver(limit=len(WHOLE) * 2).status == "2.0.0"


def test_a_write_that_fails_in_the_middle_is_undone(base, deliver, pieces):
    deliver()
    result = deliver(content=pieces(b"x" * 1000 + b"\r\n", b"y" * 2000 + b"\r\n"), limit=len(WHOLE) + 2000)
    assert result.status == "5.2.2"
    assert (base / "bob").read_bytes() == WHOLE


def test_a_missing_directory_is_deferred(base, deliver):
    result = deliver("box.test/bob")
    assert (result.status, result.text) == (
        "4.2.0",
        f"delivery failed to mailbox {base}/box.test/bob: cannot open file: No such file or directory",
    )


def test_a_link_a_fifo_and_a_directory_are_refused(base, deliver, tmp_path):
    (tmp_path / "target").write_text("precious")
    (base / "link").symlink_to(tmp_path / "target")
    os.mkfifo(base / "fifo")
    (base / "dir").mkdir()
    os.link(tmp_path / "target", base / "hard")
    answers = {name: deliver(name) for name in ("link", "fifo", "dir", "hard")}
    assert {name: answer.status for name, answer in answers.items()} == {
        "link": "4.2.0",
        "fifo": "4.2.0",
        "dir": "4.2.0",
        "hard": "4.2.0",
    }
    assert answers["hard"].text.endswith("file has 2 hard links")
    assert (tmp_path / "target").read_text() == "precious"


def test_a_device_is_a_configuration_error(base, deliver):
    reader = base / "fifo"
    os.mkfifo(reader)
    fd = os.open(reader, os.O_RDONLY | os.O_NONBLOCK)
    try:
        result = deliver("fifo")
    finally:
        os.close(fd)
    assert result.status == "5.3.5"
    assert result.text.endswith("fifo: mail system configuration error")
    assert result.warnings == (f"destination {base}/fifo is not a regular file",)


def test_a_mailbox_of_somebody_else_is_deferred_unless_that_is_allowed(base, deliver):
    (base / "bob").write_text("")
    result = deliver(uid=os.geteuid() + 1)
    assert (result.status, "is not owned by recipient" in result.text) == ("4.2.0", True)
    assert deliver(uid=os.geteuid() + 1, strict_owner=False).status == "2.0.0"


def test_a_lock_file_of_another_is_waited_for_and_never_removed(base, deliver):
    (base / "bob.lock").write_text("")
    os.utime(base / "bob.lock", (1_700_000_000, 1_700_000_000))
    waited = []
    result = deliver(sleep=waited.append, locking=Locking(attempts=3, delay=1.5))
    assert (result.status, result.text) == (
        "4.2.0",
        f"delivery failed to mailbox {base}/bob: unable to create lock file {base}/bob.lock: File exists",
    )
    assert waited == [1.5, 1.5]
    assert (base / "bob.lock").exists()


def test_a_lock_file_that_goes_away_lets_the_delivery_in(base, deliver):
    (base / "bob.lock").write_text("")
    os.utime(base / "bob.lock", (1_700_000_000, 1_700_000_000))
    assert deliver(sleep=lambda _: (base / "bob.lock").unlink()).status == "2.0.0"


def test_a_stale_lock_file_is_removed(base, deliver):
    (base / "bob.lock").write_text("")
    os.utime(base / "bob.lock", (1_699_999_000, 1_699_999_000))
    assert deliver().status == "2.0.0"
    assert not (base / "bob.lock").exists()


@pytest.mark.parametrize("method", ["fcntl", "flock"])
def test_a_file_lock_of_another_process_is_respected(base, deliver, method):
    (base / "bob").write_text("")
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        fd = os.open(base / "bob", os.O_WRONLY)
        (fcntl.lockf if method == "fcntl" else fcntl.flock)(fd, fcntl.LOCK_EX)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    locking = Locking((method,), attempts=2, delay=0.0)
    assert deliver(locking=locking).text.split(": ")[1] == "unable to lock for exclusive access"
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    assert deliver(locking=locking).status == "2.0.0"
    for fd in (*ready, *go):
        os.close(fd)


def test_a_path_out_of_the_base_is_deferred(deliver):
    assert deliver("a/../../x").text.endswith("the path has .. in it")


def test_the_lock_is_gone_and_no_file_open_whatever_happened(base, deliver):
    before = len(os.listdir("/proc/self/fd"))
    deliver()
    deliver(limit=1)
    deliver("missing/bob")
    assert not (base / "bob.lock").exists()
    assert len(os.listdir("/proc/self/fd")) == before
