"""What the measurements know of a server: how to set it up, start it and what to say about it."""

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

SINK_PORT = 13626
TLS_SINK_PORT = 13627  # the sink behind TLS
TLS_PORTS = 100  # a server's port and this: where smtp-source reaches it through TLS
WRAPPED_PORTS = 200  # ... and this: its own port with TLS from the first byte
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postfix/sbin:/usr/libexec/postfix"
RECIPIENT = "box@receiver.example"
SENDER = "sender@bench.example"


@dataclass(frozen=True)
class Plan:
    """What a server is to do: the mode of a cell, and for how many sessions at one time."""

    mode: str = "relay"
    sessions: int = 50
    keep: bool = False  # the queue of the run before stays
    patient: bool = False  # deferred mail waits for hours
    tls: bool = False


class Peer(ABC):
    """A server under a directory of its own."""

    name = ""
    title = ""
    port = 0
    before_250 = ""  # what has been done before the 250, in words

    def __init__(self, place: Path) -> None:
        self.place = place

    @property
    def queue(self) -> Path:
        return self.place / "queue"

    @property
    def maildir(self) -> Path:
        return self.place / "mail" / "box"

    @property
    def certificate(self) -> Path:
        return self.place / "etc" / "certificate.pem"

    def missing(self) -> str:
        """Say why the server cannot be run here, if so."""
        return ""

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def prepare(self, plan: Plan) -> None:
        """Write the configuration and, unless the plan keeps it, an empty queue."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground; SIGTERM stops it."""

    @abstractmethod
    def settings(self) -> str:
        """Return its configuration for relaying, as it is written."""

    def listing(self) -> list[str]:
        """Return the command that lists the queue; nothing if there is none."""
        return []

    def clear(self, *, keep_queue: bool) -> None:
        """Take away what an earlier run left."""
        for entry in self.place.iterdir() if self.place.exists() else ():
            if not (keep_queue and entry.name == "queue"):
                shutil.rmtree(entry, ignore_errors=True)
        self.place.mkdir(parents=True, exist_ok=True)
        self.place.chmod(0o755)


def program(name: str) -> str | None:
    """Return where a program is, also for a root without sbin in its PATH."""
    return shutil.which(name, path=PATH)
