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
def writer(clock):
    made = maildir.MaildirWriter(clock)
    yield made
    made.close()


def files(base, where="new", user="box.test/bob"):
    return sorted((base / user / where).iterdir())


def test_a_message_lies_in_new_with_its_fields_in_front(base, delivery, writer):
    assert writer.deliver([(delivery(), BODY)]) == [maildir.DELIVERED]
    (file,) = files(base)
    assert file.read_bytes() == HEAD + b"Subject: x\n\nhello\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert files(base, "tmp") == []
    assert (base / "box.test/bob/cur").is_dir()


def test_the_name_is_postfix_s(base, delivery, writer):
    writer.deliver([(delivery(host="mx/x:y"), BODY)])
    (file,) = files(base)
    assert re.fullmatch(r"1700000000\.V[0-9a-f]+I[0-9a-f]+M0\.mx\\057x\\072y", file.name)


def test_a_batch_for_many_and_for_one_has_a_file_for_each(base, delivery, writer):
    batch = [(delivery(f"box.test/u{n % 5}/"), Text(b"%d\r\n" % n)) for n in range(40)]
    assert writer.deliver(batch) == [maildir.DELIVERED] * 40
    texts = {file.read_bytes() for n in range(5) for file in files(base, user=f"box.test/u{n}")}
    assert texts == {HEAD + b"%d\n" % n for n in range(40)}


def test_a_content_in_pieces_is_written_whole(base, delivery, writer, pieces):
    assert writer.deliver([(delivery(), pieces(b"a: b\r", b"\n\r\nx", b"\r\n"))])[0].status == "2.0.0"
    assert files(base)[0].read_bytes() == HEAD + b"a: b\n\nx\n"


def test_a_message_over_the_limit_bounces_and_leaves_nothing(base, delivery, writer):
    (result,) = writer.deliver([(delivery(limit=20), BODY)])
    assert (result.status, result.text) == (
        "5.2.2",
        "maildir delivery failed: error writing message: File too large",
    )
    assert files(base, "tmp") == []
    assert files(base) == []
    exact = len(HEAD) + len(b"Subject: x\n\nhello\n")
    assert writer.deliver([(delivery(limit=exact), BODY)]) == [maildir.DELIVERED]
    assert writer.deliver([(delivery(limit=exact - 1), BODY)])[0].status == "5.2.2"


def test_one_that_fails_does_not_disturb_the_others(base, delivery, writer):
    (base / "bad").symlink_to("/etc")
    good = delivery()
    results = writer.deliver([(good, BODY), (delivery("bad/x/"), BODY), (good, BODY)])
    assert [result.status for result in results] == ["2.0.0", "4.2.0", "2.0.0"]
    assert len(files(base)) == 2


@pytest.mark.parametrize("name", ["tmp", "new", "."])
@pytest.mark.parametrize("kind", ["link", "fifo", "file"])
def test_what_is_no_directory_is_refused_whatever_it_is(base, delivery, writer, tmp_path, name, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    writer.deliver([(delivery(), BODY)])
    target = base / "box.test/bob" / name if name != "." else base / "box.test/bob"
    target.rename(tmp_path / "aside")
    if kind == "link":
        target.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        target.write_text("x")
    (result,) = writer.deliver([(delivery(), BODY)])
    assert result.status == "4.2.0"
    assert result.text.startswith("maildir delivery failed: create maildir file ")
    assert list(outside.iterdir()) == []


def test_a_path_out_of_the_base_is_deferred(base, delivery, writer, tmp_path):
    (result,) = writer.deliver([(delivery("../x/"), BODY)])
    assert (result.status, result.text) == ("4.3.5", "maildir delivery failed: the path has .. in it")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["mail"]


BROKEN = OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_sync_that_fails_defers_and_removes_all(base, delivery, clock):
    writer = maildir.MaildirWriter(clock, sync=lambda fds, whole: dict.fromkeys(fds, BROKEN))
    results = writer.deliver([(delivery(), BODY)] * 3)
    assert {(result.status, result.text) for result in results} == {
        ("4.2.0", "maildir delivery failed: error writing message: Input/output error")
    }
    assert files(base, "tmp") == files(base, "new") == []
    writer.close()


def test_a_file_that_cannot_be_synced_disturbs_no_other(base, delivery, clock):
    rounds = []

    def sync(fds, whole):
        rounds.append(len(fds))
        return {fds[1]: BROKEN} if len(rounds) == 1 else {}

    writer = maildir.MaildirWriter(clock, sync=sync)
    batch = [(delivery(f"box.test/u{n}/"), BODY) for n in range(3)]
    assert [result.status for result in writer.deliver(batch)] == ["2.0.0", "4.2.0", "2.0.0"]
    assert rounds == [3, 2]
    assert [len(files(base, "new", f"box.test/u{n}")) for n in range(3)] == [1, 0, 1]
    assert files(base, "tmp", "box.test/u1") == []
    writer.close()


def test_a_directory_that_cannot_be_synced_takes_back_what_is_in_it(base, delivery, clock):
    rounds = []

    def sync(fds, whole):
        rounds.append(len(fds))
        return {fds[0]: BROKEN} if len(rounds) == 2 else {}

    writer = maildir.MaildirWriter(clock, sync=sync)
    batch = [(delivery(f"box.test/u{n}/"), BODY) for n in (0, 1, 0)]
    assert [result.status for result in writer.deliver(batch)] == ["4.2.0", "2.0.0", "4.2.0"]
    assert files(base, "new", "box.test/u0") == files(base, "tmp", "box.test/u0") == []
    assert len(files(base, "new", "box.test/u1")) == 1
    writer.close()


def test_a_message_that_cannot_be_moved_disturbs_no_other(base, delivery, writer, monkeypatch):
    rename, count = os.rename, []

    def second_fails(*places, **rest):
        count.append(1)
        if len(count) == 2:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        rename(*places, **rest)

    monkeypatch.setattr(os, "rename", second_fails)
    results = writer.deliver([(delivery(), BODY)] * 5)
    assert [result.status for result in results] == ["2.0.0", "5.2.2", "2.0.0", "2.0.0", "2.0.0"]
    assert len(files(base)) == 4
    assert files(base, "tmp") == []


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


def test_a_content_that_cannot_be_read_is_deferred_and_leaves_nothing(base, delivery, writer):
    class Broken:
        data = None
        size = 10

        def pieces(self, size=0):
            yield b"half"
            raise StoreUnavailable("the file is gone")

    (result,) = writer.deliver([(delivery(), Broken())])
    assert (result.status, result.text) == ("4.3.0", "maildir delivery failed: the file is gone")
    assert files(base, "tmp") == files(base, "new") == []


def test_the_file_is_synced_before_it_is_in_new_and_the_directory_after(base, delivery, writer, monkeypatch):
    order = []
    rename, fsync = os.rename, os.fsync
    monkeypatch.setattr(os, "rename", lambda *a, **k: (order.append("rename"), rename(*a, **k)))
    writer.deliver([(delivery(), BODY)])
    order.clear()

    def noted(fd):
        order.append("sync " + os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))[:3])
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    writer.deliver([(delivery(), BODY)])
    assert order == ["sync 170", "rename", "sync new"]


def test_only_open_maildirs_stay_open(delivery, writer):
    before = len(os.listdir("/proc/self/fd"))
    writer.deliver([(delivery(), BODY), (delivery("../x/"), BODY), (delivery(limit=1), BODY)])
    assert len(os.listdir("/proc/self/fd")) == before + 2
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_mailbox_that_was_replaced_since_the_last_batch_gets_what_comes_now(
    base, delivery, writer, tmp_path
):
    writer.deliver([(delivery(), BODY)])
    (base / "box.test/bob").rename(tmp_path / "aside")
    assert writer.deliver([(delivery(), BODY)] * 2) == [maildir.DELIVERED] * 2
    assert len(files(base)) == 2
    assert len(list((tmp_path / "aside/new").iterdir())) == 1


def test_a_mailbox_that_goes_during_its_batch_disturbs_no_other(base, delivery, writer, tmp_path):
    class Shifting(Text):
        """Moves the mailbox away while it is read, so that another spelling of its path is another place."""

        __slots__ = ()

        @property
        def data(self):
            if not (tmp_path / "aside").exists():
                (base / "box.test/bob").rename(tmp_path / "aside")
            return b"x\r\n"

        @data.setter
        def data(self, value):
            pass

    batch = [(delivery(), BODY), (delivery(), Shifting(b"x\r\n")), (delivery("box.test//bob/"), BODY)]
    with_others = [*batch, (delivery("box.test/ann/"), BODY)]
    assert writer.deliver(with_others) == [maildir.DELIVERED] * 4
    assert len(list((tmp_path / "aside/new").iterdir())) == 2
    assert len(files(base)) == len(files(base, user="box.test/ann")) == 1
