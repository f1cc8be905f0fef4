import os
import resource
import stat
import subprocess
import sys

import pytest

from postroad.app import ground
from postroad.base.errors import PostroadError


def test_the_directories_are_made_and_mail_is_for_its_owner_only(tmp_path):
    me = ground.Owner("me", os.geteuid(), os.getegid())
    ground.prepare(str(tmp_path / "q"), str(tmp_path / "d"), me)
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "q/private").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_a_second_server_on_the_same_queue_is_refused_with_the_pid(tmp_path):
    (tmp_path / "pid").mkdir()
    code = (
        "import sys, time; from postroad.app import ground; ground.lock(sys.argv[1]); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        assert ground.running_pid(str(tmp_path)) == other.pid
        with pytest.raises(ground.AlreadyRunning, match=f"process {other.pid}") as caught:
            ground.lock(str(tmp_path))
        assert caught.value.pid == other.pid
        other.communicate()
    assert ground.running_pid(str(tmp_path)) == 0
    os.close(ground.lock(str(tmp_path)))


def test_nobody_runs_where_there_is_no_queue(tmp_path):
    assert ground.running_pid(str(tmp_path / "nosuch")) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's way through is the next test")
def test_a_mail_owner_that_does_not_exist_is_named():
    with pytest.raises(PostroadError, match="no such user"):
        ground.owner_of("nosuchuser")
    assert ground.owner_of("nobody").name == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_dropping_is_for_good():
    code = (
        "import os; from postroad.app import ground; ground.owner_of('nobody').drop(); "
        "print(os.getuid(), os.geteuid(), os.getgroups())\n"
        "try: os.setuid(0)\nexcept PermissionError: print('for good')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    nobody = ground.owner_of("nobody")
    assert done.stdout.startswith(f"{nobody.uid} {nobody.uid} ")
    assert "for good" in done.stdout


def test_a_user_who_is_not_root_is_the_owner():
    code = (
        "import os; os.geteuid() or os.setuid(65534); from postroad.app import ground; "
        "print(ground.owner_of('nosuch').uid == os.geteuid())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "True" in done.stdout or os.geteuid() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")
def test_root_is_no_mail_owner():
    with pytest.raises(PostroadError, match="that is root"):
        ground.require_no_root(ground.owner_of("root"))
    ground.require_no_root(ground.owner_of("nobody"))


def test_as_many_files_may_be_open_as_the_system_allows():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        assert ground.raise_file_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
