"""What a storm of wrong passwords costs those who come for something else, and the server.

    python benchmarks/auth_storm.py [--attempts 10000] [--clients 50] [--back-end postroad|dovecot]
                                    [--limit 20] [--delay 0] [--workers 2]

Each attempt is a session of its own, from one of so many addresses of 127/8.  Printed are the times of
a clean client's EHLO (in a session that is open, and with a new connection) before and during the storm, the
server's memory before, at its highest and afterwards, what the attempts heard, and how many a second.
``--limit 0`` has every password looked at; with the default, most are refused unlooked at.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import multiprocessing
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# The harness of the tests; a directory of the same name is beside this script.
sys.path[0] = str(Path(__file__).parent.parent / "tests")

from peers.harness import Postroad, a_place, until  # noqa: E402
from peers.programs import dovecot_auth  # noqa: E402

USER, SECRET = "al@example.test", "correct horse battery"
_PROCESSES = 2


def dialogue(port: int, source: str, *lines: str) -> str:
    """Say the lines in a session of its own; return the last reply."""
    with socket.create_connection(("127.0.0.1", port), 120, source_address=(source, 0)) as sock:
        file = sock.makefile("rb")
        text = _reply(file)
        for line in lines:
            sock.sendall(line.encode() + b"\r\n")
            text = _reply(file)
        return text


def _reply(file: socket.SocketIO) -> str:
    while line := file.readline():
        if line[3:4] != b"-":
            return line.decode().strip()
    return "(closed)"


def plain(user: str, secret: str) -> str:
    return base64.b64encode(f"\0{user}\0{secret}".encode()).decode()


# --- the storm


def attacker(
    port: int, sources: list[str], attempts: int, heard: multiprocessing.Queue[Counter[str]]
) -> None:
    """Guess from these addresses at one time, until all attempts are made."""
    counts: Counter[str] = Counter()
    numbers, lock = iter(range(attempts)), threading.Lock()

    def guess(source: str) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            user = USER if number % 10 == 0 else f"user{number % 997}@example.test"
            try:
                answer = dialogue(
                    port, source, "EHLO storm.test", f"AUTH PLAIN {plain(user, f'wrong{number}')}"
                )
            except OSError as error:
                answer = type(error).__name__
            with lock:
                counts[answer] += 1

    threads = [threading.Thread(target=guess, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard.put(counts)


@contextlib.contextmanager
def storm(port: int, clients: int, attempts: int) -> Iterator[Counter[str]]:
    """Begin a storm; its counts are there when the block, which waits for its end, is left."""
    sources = [f"127.0.{3 + at // 250}.{at % 250 + 1}" for at in range(clients)]
    queue: multiprocessing.Queue[Counter[str]] = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(
            target=attacker, args=(port, sources[at::_PROCESSES], attempts // _PROCESSES, queue)
        )
        for at in range(_PROCESSES)
    ]
    counts: Counter[str] = Counter()
    for process in processes:
        process.start()
    yield counts
    for _ in processes:
        counts.update(queue.get())
    for process in processes:
        process.join()


# --- the clean client, and the server's memory


def ehlo_times(port: int, goes_on: threading.Event, least: int) -> tuple[list[float], list[float]]:
    """Measure EHLO in an open session, and connection with EHLO, until told to end (``least`` at least)."""
    short, whole = [], []
    with socket.create_connection(("127.0.0.1", port), 60, source_address=("127.0.2.1", 0)) as sock:
        file = sock.makefile("rb")
        _reply(file)
        while goes_on.is_set() or len(short) < least:
            began = time.perf_counter()
            sock.sendall(b"EHLO clean.test\r\n")
            _reply(file)
            short.append(time.perf_counter() - began)
            began = time.perf_counter()
            dialogue(port, "127.0.2.1", "EHLO clean.test")
            whole.append(time.perf_counter() - began)
            time.sleep(0.01)
    return short, whole


def show(what: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100)
    print(f"  {what:28} p50 {cuts[49] * 1000:8.2f} ms   p99 {cuts[98] * 1000:8.2f} ms   of {len(times)}")


def memory(server: Postroad) -> int:
    """Return the resident memory of all its processes in KiB."""
    total = 0
    for pid in server.pids():
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])
    return total


def measured(server: Postroad, options: argparse.Namespace) -> None:
    port = server.port
    until(
        lambda: dialogue(port, "127.0.2.1", "EHLO x", f"AUTH PLAIN {plain(USER, SECRET)}").startswith("235"),
        20,
    )
    before = memory(server)
    going = threading.Event()
    short, whole = ehlo_times(port, going, 300)
    print("idle")
    show("EHLO", short)
    show("connection and EHLO", whole)
    going.set()
    peak, found = [before], []
    watch = threading.Thread(target=lambda: found.append(ehlo_times(port, going, 50)))
    size = threading.Thread(target=lambda: _watch_memory(server, going, peak))
    began = time.monotonic()
    with storm(port, options.clients, options.attempts) as counts:
        watch.start()
        size.start()
    took = time.monotonic() - began
    going.clear()
    watch.join()
    size.join()
    print(f"storm of {options.attempts} attempts from {options.clients} clients, back end {options.back_end}")
    show("EHLO", found[0][0])
    show("connection and EHLO", found[0][1])
    print(f"  rate {options.attempts / took:.0f} a second ({took:.1f} s)")
    for answer, count in counts.most_common(8):
        print(f"  {count:6} {answer}")
    welcome = dialogue(port, "127.0.2.1", "EHLO x", f"AUTH PLAIN {plain(USER, SECRET)}")
    print(f"  afterwards the right password hears: {welcome}")
    print(f"memory (RSS of all processes): before {before} KiB, highest {max(peak)}, after {memory(server)}")


def _watch_memory(server: Postroad, going: threading.Event, peak: list[int]) -> None:
    while going.is_set():
        peak.append(memory(server))
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--attempts", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--back-end", choices=("postroad", "dovecot"), default="postroad")
    parser.add_argument("--limit", type=int, default=20, help="smtpd_sasl_failure_limit")
    parser.add_argument("--delay", type=int, default=0, help="smtpd_sasl_failure_delay, seconds")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    settings = f"""
smtpd_sasl_auth_enable = yes
smtpd_sasl_failure_limit = {options.limit}
smtpd_sasl_failure_delay = {options.delay}
smtpd_client_connection_count_limit = 0
smtpd_junk_command_limit = 1000000
default_process_limit = 500
"""
    with a_place() as place, contextlib.ExitStack() as stack:
        if options.back_end == "dovecot":
            (place / "auth").mkdir(mode=0o755)
            where = place / "auth/socket"
            stack.enter_context(dovecot_auth(place, where, {USER: SECRET}))
            settings += f"smtpd_sasl_type = dovecot\nsmtpd_sasl_path = unix:{where}\n"
        else:
            settings += "smtpd_sasl_type = postroad\nsmtpd_sasl_path = {etc}/users\n"
        server = Postroad(place, main=settings, workers=options.workers)
        if options.back_end == "postroad":
            users = server.write("users", "")
            command = [sys.executable, "-m", "postroad", "user", "add", USER, "--file", str(users)]
            subprocess.run([*command, "--password-stdin"], input=f"{SECRET}\n", text=True, check=True)
            users.chmod(0o644)
        with server:
            measured(server, options)


if __name__ == "__main__":
    main()
