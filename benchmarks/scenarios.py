"""What is measured: one thing varied at a time around relaying 10 KiB over 50 sessions."""

from dataclasses import dataclass, replace

KIB = 1024
MIB = 1024 * KIB
ALL = ("postroad", "postfix", "haraka")


@dataclass(frozen=True)
class Cell:
    """One kind of load.  Where ``mode`` leads:

    relay   to the next hop by SMTP            lmtp    to the next hop by LMTP
    local   into one Maildir                   accept  into the queue, where it stays (deferred)
    """

    name: str
    group: str
    mode: str = "relay"
    size: int = 10 * KIB
    sessions: int = 50
    reuse: bool = True  # many messages over a connection, or one
    recipients: int = 1
    depth: int = 0  # messages that wait in the queue already
    tls: bool = False  # STARTTLS on the way in and on the way out
    peers: tuple[str, ...] = ALL

    @property
    def what(self) -> str:
        """Say in words what differs from relaying 10 KiB over 50 sessions."""
        parts = [self.mode, size_text(self.size), f"{self.sessions:,} sessions"]
        if not self.reuse:
            parts.append("one message a connection")
        if self.recipients > 1:
            parts.append(f"{self.recipients} recipients")
        if self.tls:
            parts.append("TLS in and out")
        if self.group == "depth":
            parts.append(f"{self.depth:,} deferred messages in the queue")
        return ", ".join(parts)


def size_text(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


BASE = Cell("relay-10k", "relay")
DEEPEST_OF_POSTFIX = 100_000  # a million would take it half an hour to queue
LOADS = (
    BASE,
    replace(BASE, name="relay-1k", size=KIB),
    replace(BASE, name="relay-10k-10", sessions=10),
    replace(BASE, name="relay-10k-200", sessions=200),
    replace(BASE, name="relay-10k-1000", sessions=1000),
    replace(BASE, name="relay-10k-single", reuse=False),
    replace(BASE, name="relay-10k-50rcpt", recipients=50),
    replace(BASE, name="relay-1m", size=MIB, sessions=10),
    replace(BASE, name="relay-1m-200", size=MIB, sessions=200),
    Cell("accept-1k", "accept", mode="accept", size=KIB),
    Cell("accept-10k", "accept", mode="accept"),
    Cell("local-10k", "local", mode="local", peers=("postroad", "postfix")),
    Cell("lmtp-10k", "lmtp", mode="lmtp"),
    replace(BASE, name="tls-10k", group="tls", tls=True, peers=("postroad", "postfix")),
    replace(BASE, name="tls-10k-single", group="tls", tls=True, reuse=False, peers=("postroad", "postfix")),
)
QUICK = ("relay-10k", "relay-1k", "relay-10k-single", "relay-1m", "accept-10k", "local-10k")
GROUPS = ("relay", "accept", "local", "lmtp", "tls", "depth", "latency", "handshakes", "idle", "trace")


def depths(levels: tuple[int, ...]) -> tuple[Cell, ...]:
    """Return the cells with a queue that deep; depth 0 is among them, to compare within their rounds."""
    return tuple(
        replace(
            BASE,
            name=f"depth-{level}",
            group="depth",
            depth=level,
            peers=("postroad", "postfix") if level <= DEEPEST_OF_POSTFIX else ("postroad",),
        )
        for level in levels
    )


def chosen(only: str, *, quick: bool) -> tuple[list[Cell], list[str]]:
    """Return the loads and the names of the other measurements for ``--only`` (groups or cells, by comma)."""
    cells = [cell for cell in LOADS if not quick or cell.name in QUICK]
    cells += depths((0, 10_000) if quick else (0, 10_000, 100_000, 1_000_000))
    others = [name for name in GROUPS if name in {"latency", "handshakes", "idle", "trace"}]
    wanted = {word.strip() for word in only.split(",") if word.strip()}
    if not wanted:
        return cells, others
    everything = [*LOADS, *depths((0, 10_000, 100_000, 1_000_000))]
    unknown = wanted - set(GROUPS) - {cell.name for cell in everything}
    if unknown:
        known = ", ".join([*GROUPS, *(cell.name for cell in everything)])
        raise SystemExit(f"bench: nothing is called {', '.join(sorted(unknown))}; there are {known}")
    picked = [cell for cell in cells if cell.group in wanted]
    picked += [cell for cell in everything if cell.name in wanted and cell not in picked]
    return picked, [name for name in others if name in wanted]
