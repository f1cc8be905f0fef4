"""A message is in new/ whole and synced, or not at all."""

from __future__ import annotations

import errno
import os
import re

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.delivery.mailbox import maildir
from postroad.model.message import Text

BODY = Text(b"Subject: x\r\n\r\nhello\r\n")
HEAD = b"Return-Path: <a@example.net>\nDelivered-To: bob@box.test\n"


@pytest.fixture
def names(clock):
    return maildir.Names(clock)


def files(base, where="new", user="box.test/bob"):
    return sorted((base / user / where).iterdir())


def test_a_message_lies_in_new_with_its_fields_in_front(base, delivery, names):
    assert maildir.deliver_all([(delivery(), BODY)], names) == [maildir.DELIVERED]
    (file,) = files(base)
    assert file.read_bytes() == HEAD + b"Subject: x\n\nhello\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert files(base, "tmp") == []
    assert (base / "box.test/bob/cur").is_dir()


def test_the_name_is_postfix_s(base, delivery, names):
    maildir.deliver_all([(delivery(host="mx/x:y"), BODY)], names)
    (file,) = files(base)
    assert re.fullmatch(r"1700000000\.V[0-9a-f]+I[0-9a-f]+M0\.mx\\057x\\072y", file.name)


def test_a_batch_for_many_and_for_one_has_a_file_for_each(base, delivery, names):
    batch = [(delivery(f"box.test/u{n % 5}/"), Text(b"%d\r\n" % n)) for n in range(40)]
    assert maildir.deliver_all(batch, names) == [maildir.DELIVERED] * 40
    texts = {file.read_bytes() for n in range(5) for file in files(base, user=f"box.test/u{n}")}
    assert texts == {HEAD + b"%d\n" % n for n in range(40)}


def test_a_content_in_pieces_is_written_whole(base, delivery, names, pieces):
    assert (
        maildir.deliver_all([(delivery(), pieces(b"a: b\r", b"\n\r\nx", b"\r\n"))], names)[0].status
        == "2.0.0"
    )
    assert files(base)[0].read_bytes() == HEAD + b"a: b\n\nx\n"


def test_a_message_over_the_limit_bounces_and_leaves_nothing(base, delivery, names):
    (result,) = maildir.deliver_all([(delivery(limit=20), BODY)], names)
    assert (result.status, result.text) == (
        "5.2.2",
        "maildir delivery failed: error writing message: File too large",
    )
    assert files(base, "tmp") == []
    assert files(base) == []
    exact = len(HEAD) + len(b"Subject: x\n\nhello\n")
    assert maildir.deliver_all([(delivery(limit=exact), BODY)], names) == [maildir.DELIVERED]
    assert maildir.deliver_all([(delivery(limit=exact - 1), BODY)], names)[0].status == "5.2.2"


def test_one_that_fails_does_not_disturb_the_others(base, delivery, names):
    (base / "bad").symlink_to("/etc")
    good = delivery()
    results = maildir.deliver_all([(good, BODY), (delivery("bad/x/"), BODY), (good, BODY)], names)
    assert [result.status for result in results] == ["2.0.0", "4.2.0", "2.0.0"]
    assert len(files(base)) == 2


@pytest.mark.parametrize("name", ["tmp", "new", "."])
@pytest.mark.parametrize("kind", ["link", "fifo", "file"])
def test_what_is_no_directory_is_refused_whatever_it_is(base, delivery, names, tmp_path, name, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    maildir.deliver_all([(delivery(), BODY)], names)
    target = base / "box.test/bob" / name if name != "." else base / "box.test/bob"
    target.rename(tmp_path / "aside")
    if kind == "link":
        target.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        target.write_text("x")
    (result,) = maildir.deliver_all([(delivery(), BODY)], names)
    assert result.status == "4.2.0"
    assert result.text.startswith("maildir delivery failed: create maildir file ")
    assert list(outside.iterdir()) == []


def test_a_path_out_of_the_base_is_deferred(base, delivery, names, tmp_path):
    (result,) = maildir.deliver_all([(delivery("../x/"), BODY)], names)
    assert (result.status, result.text) == ("4.3.5", "maildir delivery failed: the path has .. in it")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mail"]


def test_a_sync_that_fails_defers_and_removes_all(base, delivery, names):
    def broken(fds):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    results = maildir.deliver_all([(delivery(), BODY)] * 3, names, sync=broken)
    assert {(result.status, result.text) for result in results} == {
        ("4.2.0", "maildir delivery failed: error writing message: Input/output error")
    }
    assert files(base, "tmp") == files(base, "new") == []


def test_a_full_disk_is_deferred_and_a_full_quota_bounces(delivery):
    statuses = {
        code: maildir.failure(delivery(), OSError(code, os.strerror(code))).status
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EIO)
    }
    assert statuses == {
        errno.ENOSPC: "4.3.0",
        errno.EDQUOT: "5.2.2",
        errno.EFBIG: "5.2.2",
        errno.EACCES: "4.2.0",
        errno.EIO: "4.2.0",
    }


def test_a_place_without_access_is_warned_of(delivery):
    result = maildir.failure(delivery(uid=7, gid=8), PermissionError(errno.EACCES, "x"))
    assert result.warnings == (
        ("maildir access problem for UID/GID=7/8: create maildir file box.test/bob/: Permission denied"),
        "perhaps you need to create the maildirs in advance",
    )


def test_a_content_that_cannot_be_read_is_deferred_and_leaves_nothing(base, delivery, names):
    class Broken:
        data = None
        size = 10

        def pieces(self, size=0):
            yield b"half"
            raise StoreUnavailable("the file is gone")

    (result,) = maildir.deliver_all([(delivery(), Broken())], names)
    assert (result.status, result.text) == ("4.3.0", "maildir delivery failed: the file is gone")
    assert files(base, "tmp") == files(base, "new") == []


def test_the_file_is_synced_before_it_is_in_new_and_the_directory_after(base, delivery, names, monkeypatch):
    order = []
    rename, fsync = os.rename, os.fsync
    monkeypatch.setattr(os, "rename", lambda *a, **k: (order.append("rename"), rename(*a, **k)))
    maildir.deliver_all([(delivery(), BODY)], names)
    order.clear()

    def noted(fd):
        order.append("sync " + os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))[:3])
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    maildir.deliver_all([(delivery(), BODY)], names)
    assert order == ["sync 170", "rename", "sync new"]


def test_many_files_are_synced_together(tmp_path):
    fds = [os.open(tmp_path / str(n), os.O_CREAT | os.O_WRONLY) for n in range(maildir.SYNC_TOGETHER)]
    maildir.sync_files(fds)
    for fd in fds:
        os.close(fd)


def test_no_file_stays_open(delivery, names):
    before = len(os.listdir("/proc/self/fd"))
    maildir.deliver_all([(delivery(), BODY), (delivery("../x/"), BODY), (delivery(limit=1), BODY)], names)
    assert len(os.listdir("/proc/self/fd")) == before
