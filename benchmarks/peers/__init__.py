"""The servers that are compared."""

from pathlib import Path

from benchmarks.peers.haraka import Haraka
from benchmarks.peers.peer import Peer
from benchmarks.peers.postfix import Postfix
from benchmarks.peers.postroad import Postroad

PEERS: dict[str, type[Peer]] = {"postroad": Postroad, "postfix": Postfix, "haraka": Haraka}


def made(names: list[str], place: Path) -> dict[str, Peer]:
    """Return the peers of these names, each with a directory of its own; those not installed are left out."""
    peers = {name: PEERS[name](place / name) for name in names}
    for name, peer in peers.items():
        if peer.missing():
            print(f"bench: {name} is left out: {peer.missing()}", flush=True)
    return {name: peer for name, peer in peers.items() if not peer.missing()}
