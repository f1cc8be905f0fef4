"""What a server and everything it started have used: CPU, memory, flushes of the device.

A control group counts the processes that have ended, too, and exactly.  Without one (a container
that may not make them) the process tree is read from /proc, in ticks of 10 ms.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Group:
    """A control group for the processes of one server, of version 2 or 1."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.cpu()

    def enter(self, command: list[str]) -> list[str]:
        """Return a command that begins in the group, so that all it starts belongs to it."""
        script = 'echo 0 >"$0/cgroup.procs" && exec "$@"'
        return ["/bin/sh", "-c", script, str(self.directory), *command]

    def watch(self, _pid: int) -> None:
        """Nothing: the group knows its members."""

    def pids(self) -> list[int]:
        return [int(word) for word in (self.directory / "cgroup.procs").read_text().split()]

    def cpu(self) -> float:
        """Return the seconds used so far."""
        old = self.directory / "cpuacct.usage"
        if old.exists():
            return int(old.read_text()) / 1e9
        text = (self.directory / "cpu.stat").read_text()
        return int(text.split("usage_usec", 1)[1].split(None, 1)[0]) / 1e6

    def close(self) -> None:
        """Take the group away, as soon as the kernel is done with its last process."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.directory.rmdir()
            if not self.directory.exists():
                return
            time.sleep(0.02)


class Tree:
    """The same from /proc: a process and all below it."""

    def __init__(self) -> None:
        self._root = 0

    def enter(self, command: list[str]) -> list[str]:
        return command

    def watch(self, pid: int) -> None:
        self._root = pid

    def _stats(self) -> dict[int, tuple[int, float]]:
        """Return the parent and the seconds (of children that have ended, too) of every process below."""
        every: dict[int, tuple[int, float]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    every[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICK)
        ours = {self._root} & every.keys()
        while more := {pid for pid, (parent, _) in every.items() if parent in ours} - ours:
            ours |= more
        return {pid: every[pid] for pid in ours}

    def pids(self) -> list[int]:
        return list(self._stats())

    def cpu(self) -> float:
        return sum(seconds for _, seconds in self._stats().values())

    def close(self) -> None:
        """Nothing is kept."""


def group(name: str) -> Group | Tree:
    """Return the most exact account that this machine allows."""
    for place in ("", "unified", "cpuacct", "cpu,cpuacct"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if (CONTROL_GROUPS / place / "cgroup.procs").exists():
                return Group(CONTROL_GROUPS / place / f"postroad-bench-{name}")
    return Tree()


def memory(pids: list[int]) -> int:
    """Return the proportional set size of processes: what several share is counted once."""
    return sum(_sizes(pid).get("Pss", 0) for pid in pids)


def _sizes(pid: int) -> dict[str, int]:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        return {key: int(rest.split()[0]) * 1024 for key, _, rest in (line.partition(":") for line in lines)}
    return {}


class Peak(threading.Thread):
    """The most memory and processes seen while the context lasts, looked at ``pause`` seconds apart.

    A look at hundreds of processes takes its time, which is kept to a hundredth of one processor's.
    """

    def __init__(self, account: Group | Tree, pause: float = 0.7) -> None:
        super().__init__(daemon=True)
        self._account = account
        self._pause = pause
        self._over = threading.Event()
        self.bytes = self.resident = self.processes = 0  # proportional, and the sum of what each has

    def run(self) -> None:
        while True:
            began = time.thread_time()
            self.look()
            if self._over.wait(max(self._pause, 100 * (time.thread_time() - began))):
                return

    def look(self) -> None:
        with contextlib.suppress(OSError):
            pids = self._account.pids()
            self.processes = max(self.processes, len(pids))
            sizes = [_sizes(pid) for pid in pids]
            self.bytes = max(self.bytes, sum(size.get("Pss", 0) for size in sizes))
            self.resident = max(self.resident, sum(size.get("Rss", 0) for size in sizes))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self.look()


def flushes(path: Path) -> int | None:
    """Return how often the device under ``path`` was told to flush its cache, if the kernel counts it."""
    device = path.stat().st_dev
    with contextlib.suppress(OSError, IndexError):
        stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text()
        return int(stat.split()[15])
    return None


def machine_busy() -> float:
    """Return the CPU seconds that the whole machine has worked, time stolen by the host included."""
    words = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(words) - words[3] - words[4]) / TICK


def wait_until_quiet(account: Group | Tree, limit: float = 60.0, pause: float = 0.25) -> None:
    """Return when the processes have nothing left to do."""
    end = time.monotonic() + limit
    before = account.cpu()
    while time.monotonic() < end:
        time.sleep(pause)
        now = account.cpu()
        if now - before < pause * 0.04:
            return
        before = now
