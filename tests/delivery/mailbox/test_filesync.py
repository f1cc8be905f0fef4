"""Few files are synced one by one, many as a file system; every error is somebody's."""

from __future__ import annotations

import ctypes
import errno
import os

import pytest

from postroad.delivery.mailbox import filesync


@pytest.fixture
def fds(tmp_path):
    opened = [os.open(tmp_path / str(n), os.O_CREAT | os.O_WRONLY) for n in range(filesync.SYNC_TOGETHER)]
    yield opened
    for fd in opened:
        os.close(fd)


@pytest.fixture
def calls(monkeypatch):
    noted = []
    monkeypatch.setattr(os, "fsync", noted.append)
    monkeypatch.setattr(filesync, "_syncfs", lambda fd: noted.append(("all", fd)) or 0)
    return noted


def test_many_files_are_synced_together(fds, calls):
    assert filesync.sync_files(fds, fds[0]) == {}
    assert calls == [("all", fds[0])]


def test_few_files_are_synced_each(fds, calls):
    assert filesync.sync_files(fds[1:], fds[0]) == {}
    assert calls == fds[1:]


def test_a_file_system_that_must_not_be_synced_as_a_whole_is_not(fds, calls):
    assert filesync.sync_files(fds, -1) == {}
    assert calls == fds


def test_a_kernel_that_keeps_errors_to_itself_is_asked_for_each_file(fds, calls, monkeypatch):
    monkeypatch.setattr(filesync, "_syncfs", None)
    assert filesync.sync_files(fds, fds[0]) == {}
    assert calls == fds
    assert not filesync.can_sync_whole(fds[0])


def test_the_real_calls_work(fds):
    assert filesync.sync_files(fds, fds[0]) == {}
    assert filesync.sync_files(fds, -1) == {}


def test_an_error_of_one_file_is_its_own(fds, monkeypatch):
    real = os.fsync

    def broken(fd):
        if fd == fds[1]:
            raise OSError(errno.EIO, "x")
        real(fd)

    monkeypatch.setattr(os, "fsync", broken)
    failed = filesync.sync_files(fds, -1)
    assert {fd: error.errno for fd, error in failed.items()} == {fds[1]: errno.EIO}


def test_an_error_of_the_file_system_is_everybody_s(fds, monkeypatch):
    def broken(fd):
        ctypes.set_errno(errno.EIO)
        return -1

    monkeypatch.setattr(filesync, "_syncfs", broken)
    failed = filesync.sync_files(fds, fds[0])
    assert {fd: error.errno for fd, error in failed.items()} == dict.fromkeys(fds, errno.EIO)


def test_what_has_no_file_system_behind_it_is_not_synced_as_a_whole(fds, monkeypatch):
    monkeypatch.setattr(filesync, "_syncfs", lambda fd: 0)
    memory = os.memfd_create("x")
    assert not filesync.can_sync_whole(memory)
    os.close(memory)
    assert not filesync.can_sync_whole(-1)


@pytest.mark.parametrize(
    ("system", "release", "reports"),
    [
        ("Linux", "5.8.0-1", True),
        ("Linux", "6.1.0-18-amd64", True),
        ("Linux", "5.7.19", False),
        ("Linux", "4.19", False),
        ("Linux", "strange", False),
        ("Other", "6.1", False),
    ],
)
def test_errors_are_reported_since_linux_5_8(monkeypatch, system, release, reports):
    name = os.uname_result((system, "host", release, "version", "machine"))
    monkeypatch.setattr(os, "uname", lambda: name)
    assert filesync._kernel_reports_errors() is reports
