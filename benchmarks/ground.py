"""Where the measurements run: namespaces of their own, and a file system with a journal.

Everything happens in new mount, network and process namespaces.  So nothing of it is seen from
outside, no server can speak to anybody, and when the first process ends, however it ends, the
kernel ends all others, unmounts the file system and frees its loop device.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

INSIDE = "BENCH_INSIDE"
UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
SIZE = "14G"


def enter(arguments: list[str]) -> None:
    """Begin again inside, unless we are there."""
    if os.geteuid() != 0:
        raise SystemExit("bench: root is needed (namespaces, a loop device, the servers' users)")
    if os.environ.get(INSIDE) != "1":
        os.environ[INSIDE] = "1"
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, "-m", "benchmarks", *arguments])
    signal.signal(signal.SIGTERM, _stop)  # the first process of a namespace is deaf to it otherwise
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _run("ip", "link", "set", "lo", "up")


def _stop(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def journalled(work: Path) -> Path:
    """Mount ext4 with a journal, in a file of ``work``; return where.

    The disk under / may lack a journal (cloud images do), and ext4 without one makes every server
    that creates and deletes a file for each message pay for that, not for its own work.  Direct
    input and output, because the file's pages would be cached twice otherwise, and a flush of the
    loop device would mean writing back the outer file system's cache.
    """
    image, place = work / "disk.img", work / "disk"
    place.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    _run("fallocate", "-l", SIZE, str(image))
    options = "lazy_itable_init=0,lazy_journal_init=0"  # nothing is initialised later, in the background
    _run("mkfs.ext4", "-q", "-E", options, str(image))
    done = _run("losetup", "--find", "--show", "--direct-io=on", str(image))
    device = done.stdout.strip()
    image.unlink()  # its room is free as soon as nothing uses it, whatever ends us
    try:
        _run("mount", device, str(place))
    finally:
        _run("losetup", "--detach", device)  # likewise, when it is no longer mounted
    return place


def leave(work: Path) -> None:
    """Give the room on the disk back."""
    subprocess.run(["umount", str(work / "disk")], check=False, capture_output=True)


def file_system(place: Path) -> str:
    """Describe the file system that holds ``place``: device, type, options and whether it has a journal."""
    best = max(
        (line.split() for line in Path("/proc/mounts").read_text().splitlines()),
        key=lambda words: len(words[1]) if place.resolve().is_relative_to(words[1]) else -1,
    )
    device, _, kind, options = best[:4]
    text = f"{kind} ({options}) on {device}"
    if kind == "ext4":
        name = Path(device).resolve().name
        journal = any(Path("/proc/fs/jbd2").glob(f"{name}-*"))
        text += ", with a journal" if journal else ", WITHOUT a journal: files made and deleted cost more"
    return text


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stderr.strip()}")
    return done
