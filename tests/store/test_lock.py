import os
import subprocess
import sys

import pytest

from postroad.base.errors import StoreUnavailable
from postroad.store.lock import ShardBusy, ShardLock


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    lock = ShardLock(tmp_path)
    with pytest.raises(ShardBusy, match=f"in use by process {os.getpid()}"):
        ShardLock(tmp_path)
    lock.close()
    ShardLock(tmp_path).close()


def test_a_dead_holder_does_not_hold(tmp_path):
    code = "import sys, os; from pathlib import Path; from postroad.store.lock import ShardLock; ShardLock(Path(sys.argv[1])); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    ShardLock(tmp_path).close()


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(StoreUnavailable):
        ShardLock(tmp_path)
    assert target.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_lock_that_root_made_belongs_to_the_directorys_owner(tmp_path):
    os.chown(tmp_path, 1234, 1234)
    ShardLock(tmp_path).close()
    assert (tmp_path / "lock").stat().st_uid == 1234
