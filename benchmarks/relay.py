"""Relay end to end, Postroad beside Postfix: smtp-source -> server -> smtp-sink, in interleaved rounds.

Both queues lie on the same disk, both sync before each 250, both log.  Give it a directory on a file
system with a journal: without one, what creates and deletes a file for each message pays for the
missing journal.  Rates depend on what else the machine does; the ratio of one run is what counts.

    benchmarks/relay.py --directory /mnt/journalled --messages 8000 --sessions 50 --size 10240 --rounds 3
"""

import argparse
import contextlib
import os
import pwd
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SINK_PORT, OUR_PORT, POSTFIX_PORT = 13726, 13740, 13741
_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("maildrop", "pid", "private", "public", "saved", "trace"),
)
SBIN = "/usr/sbin:/usr/lib/postfix/sbin:/usr/libexec/postfix"
MASTER_CF = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN_CF = """compatibility_level = 3.6
myhostname = bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mail_owner = {owner}
queue_directory = {place}/queue
data_directory = {place}/data
maillog_file = {place}/log
maillog_file_prefixes = /
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{sink}
smtpd_peername_lookup = no
default_process_limit = 250
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
in_flow_delay = 0
smtp_destination_concurrency_limit = 20
initial_destination_concurrency = 20
"""


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.recv(1)
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def user(*names: str) -> str:
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise SystemExit(f"no such user: {' '.join(names)}")


def prepare(place: Path, owner: str, port: int) -> None:
    for name in ("etc", "queue", "data"):
        (place / name).mkdir(parents=True)
    place.chmod(0o755)
    shutil.chown(place / "queue", "root")
    shutil.chown(place / "data", owner)
    (place / "etc/main.cf").write_text(MAIN_CF.format(owner=owner, place=place, sink=SINK_PORT))
    (place / "etc/master.cf").write_text(MASTER_CF.format(port=port))


def start_postfix(place: Path) -> subprocess.Popen[bytes]:
    prepare(place, user("postfix"), POSTFIX_PORT)
    queue = place / "queue"
    for name in _QUEUES:
        (queue / name).mkdir()
        if name != "pid":
            shutil.chown(queue / name, "postfix")
    for name in ("maildrop", "public"):
        shutil.chown(queue / name, group="postdrop")
    master = shutil.which("master", path=SBIN) or sys.exit("Postfix's master(8) was not found")
    return subprocess.Popen([master, "-d", "-c", str(place / "etc")], stderr=subprocess.DEVNULL)


def start_postroad(place: Path) -> subprocess.Popen[bytes]:
    prepare(place, user("nobody"), OUR_PORT)
    shutil.chown(place / "queue", "nobody")
    return subprocess.Popen(
        [sys.executable, "-m", "postroad", "start", "--foreground", "-c", str(place / "etc")]
    )


def measure(starter, port: int, arguments: argparse.Namespace, directory: Path) -> tuple[float, float]:
    """Return messages per second end to end, and milliseconds of CPU per message of the server."""
    place = Path(tempfile.mkdtemp(dir=directory))
    sink = subprocess.Popen(
        [shutil.which("smtp-sink", path=SBIN) or "smtp-sink", "-u", "nobody", f"127.0.0.1:{SINK_PORT}", "500"]
    )
    server = starter(place)
    try:
        wait_for(port)
        run(port, arguments, 200, place)
        began, before = time.monotonic(), cpu_of(server.pid)
        run(port, arguments, arguments.messages, place)
        seconds = time.monotonic() - began
        spent = cpu_of(server.pid) - before
    finally:
        server.terminate()
        server.wait()
        sink.terminate()
        sink.wait()
        shutil.rmtree(place, ignore_errors=True)
    return arguments.messages / seconds, spent * 1000 / arguments.messages


def run(port: int, arguments: argparse.Namespace, count: int, place: Path) -> None:
    """Send messages and wait until all of them have left."""
    removed = left(place)
    source = shutil.which("smtp-source", path=SBIN) or "smtp-source"
    command = [source, "-d", "-s", str(arguments.sessions), "-l", str(arguments.size), "-m", str(count)]
    subprocess.run(
        [*command, "-f", "a@sender.example", "-t", "b@receiver.example", f"127.0.0.1:{port}"], check=True
    )
    while left(place) < removed + count:
        time.sleep(0.05)


def left(place: Path) -> int:
    """Return how many messages have left, by the log."""
    with contextlib.suppress(FileNotFoundError):
        return (place / "log").read_bytes().count(b": removed\n")
    return 0


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and all below it, those that have ended included."""
    parents: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
                times[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    total, todo = 0.0, [pid]
    while todo:
        each = todo.pop()
        total += times.get(each, 0.0)
        todo += parents.get(each, [])
    return total


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--size", type=int, default=10240)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("smtp-source", path=SBIN):
        print("relay: needs root and Postfix's smtp-source: left out", file=sys.stderr)
        return 0
    rates: dict[str, list[float]] = {"postfix": [], "postroad": []}
    for number in range(arguments.rounds):
        for name, starter, port in (
            ("postfix", start_postfix, POSTFIX_PORT),
            ("postroad", start_postroad, OUR_PORT),
        ):
            rate, cpu = measure(starter, port, arguments, arguments.directory)
            rates[name].append(rate)
            print(
                f"round {number + 1}  {name:9} {rate:8.0f} messages/s  {cpu:.3f} ms of CPU each", flush=True
            )
    ratio = statistics.median(rates["postroad"]) / statistics.median(rates["postfix"])
    print(f"median: Postroad {ratio:.1f} times Postfix")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
