"""The ground a server stands on: its directories, the lock on its queue, its user."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import resource
from dataclasses import dataclass
from pathlib import Path

from postroad.base.errors import PostroadError

LOCK_NAME = "pid/master.pid"


class AlreadyRunning(PostroadError):  # noqa: N818 - a state, not a defect
    """Another server holds the queue; ``pid`` is its process, 0 when it could not be read."""

    def __init__(self, pid: int, queue_directory: str) -> None:
        self.pid = pid
        super().__init__(
            f"the queue {queue_directory} is held by another server, process {pid}: stop that one first, "
            "or give this one a queue_directory of its own"
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """Who the workers run as."""

    name: str
    uid: int
    gid: int

    def drop(self) -> None:
        """Become this user for good; nothing happens if we are not root."""
        if os.geteuid() != 0 or self.uid == 0:
            return
        os.setgroups(_groups(self.name, self.gid))
        os.setgid(self.gid)
        os.setuid(self.uid)


def owner_of(name: str) -> Owner:
    """Return the user named by mail_owner; ourselves when we are not root and cannot become it."""
    if os.geteuid() != 0:
        return Owner(_name_of(os.geteuid()), os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise PostroadError(
            f"mail_owner = {name}: there is no such user; make it (useradd --system {name}) or name another"
        ) from None
    return Owner(name, entry.pw_uid, entry.pw_gid)


def require_no_root(owner: Owner) -> None:
    """PostroadError if the workers would keep the rights of root."""
    if os.geteuid() == 0 and owner.uid == 0:
        raise PostroadError(
            f"mail_owner = {owner.name}: that is root; name a user who owns nothing but the queue"
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _groups(name: str, gid: int) -> list[int]:
    return sorted({gid, *(g.gr_gid for g in grp.getgrall() if name in g.gr_mem)})


def raise_file_limit() -> int:
    """Let the processes that follow open as many files as the system allows us.  Return how many.

    A session is a file, and so is a connection to a next hop; the usual soft limit of 1024 is meant
    for programs that use select(2), which none of ours does.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def prepare(queue_directory: str, data_directory: str, owner: Owner) -> None:
    """Make the directories that are missing, with the modes that they need.

    The queue directory itself may be entered by everybody (the control socket is in it); what holds
    mail may not.
    """
    queue = Path(queue_directory)
    for path, mode in (
        (queue, 0o755),
        (queue / "pid", 0o755),
        (queue / "public", 0o755),
        (queue / "private", 0o700),
    ):
        _make(path, mode, owner)
    _make(Path(data_directory), 0o700, owner)


def _make(path: Path, mode: int, owner: Owner) -> None:
    if not path.is_dir():
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        path.chmod(mode)  # whatever the umask says
    if os.geteuid() == 0 and path.stat().st_uid not in (0, owner.uid):
        raise PostroadError(
            f"{path} belongs to another user than mail_owner {owner.name}: chown it, or set mail_owner"
        )
    if os.geteuid() == 0 and path.stat().st_uid != owner.uid:
        os.chown(path, owner.uid, owner.gid)


def lock(queue_directory: str) -> int:
    """Hold the queue for this process; returns the descriptor that holds it.  AlreadyRunning if held."""
    path = Path(queue_directory) / LOCK_NAME
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = _pid_in(os.read(fd, 32))
        os.close(fd)
        raise AlreadyRunning(pid, queue_directory) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid():>15}\n".encode(), 0)
    return fd


def running_pid(queue_directory: str) -> int:
    """Return the process that holds the queue, 0 when nobody does."""
    try:
        fd = os.open(Path(queue_directory) / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _pid_in(os.read(fd, 32))
    finally:
        os.close(fd)
    return 0


def _pid_in(text: bytes) -> int:
    digits = text.strip()
    return int(digits) if digits.isdigit() else 0
