"""Postfix, as the machine has it, with a configuration and a queue of its own."""

import subprocess

from benchmarks.peers import conf
from benchmarks.peers.peer import Peer, Plan, program


class Postfix(Peer):
    name = "postfix"
    title = "Postfix"
    port = 13541
    before_250 = "cleanup(8) has written the queue file and synced it (`fsync`), one for each message."

    def missing(self) -> str:
        return "" if program("master") and program("postfix") else "it is not installed"

    def version(self) -> str:
        command = [str(program("postconf")), "-dh", "mail_version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def prepare(self, plan: Plan) -> None:
        self.clear(keep_queue=plan.keep)
        self.queue.mkdir(exist_ok=True)
        conf.write(self.place, "postfix", self.port, plan)
        # makes the directories of the queue, each with its owner
        subprocess.run([str(program("postfix")), "-c", f"{self.place}/etc", "check"], check=True)

    def command(self) -> list[str]:
        return [str(program("master")), "-d", "-c", f"{self.place}/etc"]

    def settings(self) -> str:
        return conf.main_cf(self.place, "postfix", Plan()) + "\n" + conf.master_cf(self.port, Plan())

    def listing(self) -> list[str]:
        return [str(program("postqueue")), "-c", f"{self.place}/etc", "-p"]
