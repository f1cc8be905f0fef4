"""``postroad start``, ``stop``, ``reload``, ``status`` and ``abort``."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from postroad.app.ground import running_pid
from postroad.base.errors import ConfigurationError, PostroadError
from postroad.base.params import Settings

_USAGE = """usage: postroad {start [--foreground] | stop | reload | status | abort} [-c DIR]

  start    start the server; returns when every socket listens
           --foreground: stay; SIGTERM stops it cleanly
  stop     stop accepting, finish what is under way, end
  reload   read the configuration again; with any problem the old one stays in force
  status   say whether it runs; exit status 0 if so
  abort    end at once
"""
_EXTRA_TIME = 15.0  # seconds, behind shutdown_time_limit, after which a server counts as stuck


def run(directory: str | None, args: list[str]) -> int:
    """Run the command ``args[0]``."""
    command, *rest = args
    if "--help" in rest or "-h" in rest:
        print(_USAGE, end="")
        return 0
    foreground = command == "start" and "--foreground" in rest
    ready_fd = next((int(word.partition("=")[2]) for word in rest if word.startswith("--ready-fd=")), -1)
    unknown = [word for word in rest if word != "--foreground" and not word.startswith("--ready-fd=")]
    if unknown or (rest and command != "start"):
        print(
            f"postroad {command}: unexpected {' '.join(unknown or rest)}\n{_USAGE}", file=sys.stderr, end=""
        )
        return 2
    where = directory or "/etc/postfix"
    try:
        if command == "start":
            return _serve(where, ready_fd) if foreground else _start(where)
        return {"stop": _stop, "abort": _abort, "reload": _reload, "status": _status}[command](where)
    except ConfigurationError as error:
        for problem in error.problems:
            print(f"postroad: fatal: {problem}", file=sys.stderr)
        return 1
    except (PostroadError, OSError) as error:
        print(f"postroad: fatal: {error}", file=sys.stderr)
        return 1


def _serve(directory: str, ready_fd: int) -> int:
    import asyncio

    from postroad.app.supervisor import Supervisor

    def ready() -> None:
        if ready_fd >= 0:
            os.write(ready_fd, b"ready")
            os.close(ready_fd)

    async def serve() -> int:
        return await Supervisor(directory, ready).run()

    return asyncio.run(serve())


def _start(directory: str) -> int:
    """Start in the background; wait until every socket listens."""
    pid = running_pid(_queue_directory(directory))
    if pid:
        raise PostroadError(f"the mail system is already running: PID: {pid}")
    log = _setting(directory, "maillog_file")
    if log.startswith("/dev/std"):
        raise PostroadError(f"maillog_file = {log} needs postroad start --foreground")
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",  # nothing is imported from where the operator happens to be
            "-m",
            "postroad",
            "start",
            "--foreground",
            f"--ready-fd={write_end}",
            "-c",
            directory,
        ],
        pass_fds=[write_end],
        stdin=subprocess.DEVNULL,
        # Not our own: who reads our output must not wait until the server ends.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(write_end)
    assert process.stderr is not None
    if _is_ready(read_end, process.stderr.fileno()):
        process.returncode = 0  # it goes on without us
        return 0
    return process.wait() or 1  # it has said why


def _is_ready(ready: int, errors: int) -> bool:
    """Pass on what a starting server says until it is ready, True, or has ended."""
    open_ends = [ready, errors]
    while open_ends:
        for fd in select.select(open_ends, [], [])[0]:
            data = os.read(fd, 65536)
            if fd == errors:
                sys.stderr.write(data.decode("utf-8", "replace"))
            elif data:
                return True
            if not data:
                open_ends.remove(fd)
    return False


def _stop(directory: str) -> int:
    return _end(directory, signal.SIGTERM)


def _abort(directory: str) -> int:
    return _end(directory, signal.SIGKILL)


def _end(directory: str, number: int) -> int:
    from postroad.app.params import SHUTDOWN_TIME

    settings = _settings(directory)
    queue_directory = settings.texts["queue_directory"]
    pid = running_pid(queue_directory)
    if not pid:
        raise PostroadError("the mail system is not running")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    seconds = settings[SHUTDOWN_TIME] + _EXTRA_TIME
    deadline = time.monotonic() + seconds
    while running_pid(queue_directory) == pid:
        if time.monotonic() > deadline:
            raise PostroadError(f"process {pid} has not ended after {seconds:.0f} s; postroad abort ends it")
        time.sleep(0.02)
    return 0


def _status(directory: str) -> int:
    pid = running_pid(_queue_directory(directory))
    if not pid:
        print("postfix/postfix-script: the Postfix mail system is not running", file=sys.stderr)
        return 1
    print(f"postfix/postfix-script: the Postfix mail system is running: PID: {pid}", file=sys.stderr)
    return 0


def _reload(directory: str) -> int:
    from postroad.net.control import NotRunning, ask

    try:
        answer = ask(_setting(directory, "control_socket"), {"verb": "reload"}, timeout=150)
    except NotRunning:
        raise PostroadError("the mail system is not running") from None
    problems = [*answer.get("problems", []), *([answer["error"]] if "error" in answer else [])]
    for problem in problems:
        print(f"postroad: {problem}", file=sys.stderr)
    if problems:
        print("postroad: the old configuration stays in force", file=sys.stderr)
    return 1 if problems else 0


def _queue_directory(directory: str) -> str:
    return _setting(directory, "queue_directory")


def _setting(directory: str, name: str) -> str:
    return _settings(directory).texts[name]


def _settings(directory: str) -> Settings:
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load

    if not Path(directory, "main.cf").is_file():
        raise PostroadError(f"{directory}/main.cf: no such file; name the configuration's directory with -c")
    return load(directory, registry(), find_facts(directory)).settings
