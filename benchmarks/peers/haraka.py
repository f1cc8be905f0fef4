"""Haraka from npm: a worker for each core, one small plugin that lets the mail through."""

import json
import os
import shutil
from pathlib import Path

from benchmarks.peers.peer import SINK_PORT, Peer, Plan

PLUGIN = Path(__file__).with_name("haraka_plugin.js")


class Haraka(Peer):
    name = "haraka"
    title = "Haraka"
    port = 13542
    before_250 = (
        "The outbound queue file is written and synced (`fsync`, one for each message) under a temporary "
        "name, then renamed; the rename is not synced."
    )
    installed = Path(os.environ.get("BENCH_HARAKA", "/var/tmp/postroad-bench/haraka")) / "node_modules/Haraka"

    def missing(self) -> str:
        if not (self.installed / "package.json").exists():
            return f"{self.installed} does not exist (npm install --prefix DIR Haraka; BENCH_HARAKA=DIR)"
        return "" if shutil.which("node") else "Node is not installed"

    def version(self) -> str:
        return str(json.loads((self.installed / "package.json").read_text())["version"])

    def files(self, plan: Plan) -> dict[str, str]:
        """Return what is written over Haraka's default configuration."""
        hop = {"exchange": "127.0.0.1", "port": SINK_PORT, "priority": 0, "using_lmtp": plan.mode == "lmtp"}
        return {
            "smtp.ini": f"listen=127.0.0.1:{self.port}\nnodes={os.cpu_count()}\n",
            "plugins": "bench\n",
            "me": "bench.example\n",
            "loglevel": "NOTICE\n",
            "outbound.ini": "concurrency_max=100\nenable_tls=false\nlocal_mx_ok=true\n",
            "bench.json": json.dumps({"hop": hop, "defer": plan.mode == "accept"}) + "\n",
        }

    def prepare(self, plan: Plan) -> None:
        self.clear(keep_queue=plan.keep)
        self.queue.mkdir(exist_ok=True)
        shutil.copytree(self.installed / "config", self.place / "config")
        for name, text in self.files(plan).items():
            (self.place / "config" / name).write_text(text)
        (self.place / "plugins").mkdir()
        shutil.copy(PLUGIN, self.place / "plugins/bench.js")
        (self.place / "package.json").write_text("{}")

    def command(self) -> list[str]:
        return ["node", str(self.installed / "bin/haraka"), "-c", str(self.place)]

    def settings(self) -> str:
        return "".join(f"# {name}\n{text}\n" for name, text in self.files(Plan()).items()).rstrip() + "\n"
