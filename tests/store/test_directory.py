import os

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.directory import give_to_owner, make_directory


def test_a_directory_is_private_and_its_name_is_synced(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), sync(fd)))
    make_directory(tmp_path / "shard-0")
    assert (tmp_path / "shard-0").stat().st_mode & 0o777 == 0o700
    assert synced == [str(tmp_path)]


def test_a_directory_that_is_there_stays_as_it_is(tmp_path):
    tmp_path.chmod(0o750)
    make_directory(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot make .*shard-0: No such file"):
        make_directory(tmp_path / "none" / "shard-0")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_root_makes_is_the_owners(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    (tmp_path / "bodies").mkdir()
    (tmp_path / "journal-0").touch()
    (tmp_path / "notes").touch()
    give_to_owner(tmp_path)
    owners = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
    assert owners == {"queue.db": 65534, "bodies": 65534, "journal-0": 65534, "notes": 0}
    assert (tmp_path / "queue.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_a_link_points_to_stays_whose_it_is(tmp_path):
    (tmp_path / "target").touch()
    shard = tmp_path / "shard-0"
    shard.mkdir()
    os.chown(shard, 65534, 65534)
    (shard / "journal-0").symlink_to(tmp_path / "target")
    give_to_owner(shard)
    assert (tmp_path / "target").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_root_writes_no_database_where_a_link_of_another_user_points_to(tmp_path):
    (tmp_path / "queue.db").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        give_to_owner(tmp_path)
    assert not (tmp_path / "target").exists()
