"""Postroad, run by the Python that runs the measurements."""

import platform
import shutil
import sys
from pathlib import Path

import postroad
from benchmarks.peers import conf
from benchmarks.peers.peer import Peer, Plan

OWNER = "nobody"


class Postroad(Peer):
    name = "postroad"
    title = "Postroad"
    port = 13540
    before_250 = (
        "The message and its envelope are in the queue, written and synced (`fdatasync`); "
        "one sync serves all messages that wait for it."
    )

    def version(self) -> str:
        compiler = platform.python_compiler()
        base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        return f"{postroad.__version__}, Python {platform.python_version()} ({base}, {compiler})"

    def prepare(self, plan: Plan) -> None:
        self.clear(keep_queue=plan.keep)
        self.queue.mkdir(exist_ok=True)
        shutil.chown(self.queue, OWNER)
        conf.write(self.place, OWNER, self.port, plan)

    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "postroad", "start", "--foreground", "-c", f"{self.place}/etc"]

    def settings(self) -> str:
        return conf.main_cf(self.place, OWNER, Plan()) + "\n" + conf.master_cf(self.port, Plan())

    def listing(self) -> list[str]:
        return [sys.executable, "-P", "-m", "postroad", "postqueue", "-c", f"{self.place}/etc", "-p"]
