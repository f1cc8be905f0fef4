"""Certificates that change while the server runs: looked for, tried, handed to the workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from postroad.app.certificates import Certificates, Collection, Collector
from postroad.base.clock import Clock
from postroad.base.config import Config
from postroad.base.log import Event, Log

RENEWED = Event(
    "master",
    "changed files are in force: %s",
    "Files of certificates or passwords have changed.",
    urgent=True,
)
REFUSED = Event(
    "master",
    "warning: certificates: %s -- the former ones stay in force",
    "Changed files cannot be used, or do not belong together (yet).",
    urgent=True,
)
SKIPPED = Event(
    "master",
    "warning: tls_server_sni_maps: %s",
    "A table of server names, or the chain of a name in it, cannot be used.",
    urgent=True,
)
_NAMED = 5  # files that a log line names
INTERVAL = 0.5  # seconds between two looks
_EACH = 0.0005  # seconds more for each file: a look at many of them costs
_FRESH = 2.0  # seconds: what changed so shortly ago may change again and look the same
#: Seconds that a certificate and its key, two files, may take to be replaced one after the other.
_PATIENCE = 2.0


class Renewal:
    """The certificates that one configuration names, as a file in memory that workers are given (``fd``).

    They were checked with the configuration; from then on ``look`` finds out what has changed, and
    ``send(fd)`` hands to the workers what can be used.
    """

    def __init__(self, config: Config, log: Log, clock: Clock, send: Callable[[int], None]) -> None:
        self._log = log
        self._clock = clock
        self._send = send
        self._collector = Collector(config)
        self._seen = self._collector.collect()
        self._certificates = self._seen.certificates
        self.fd = self._certificates.pack()
        self._wrong: dict[str, float] = {}  # what is wrong now, and since when
        self._said: set[str] = set()
        self._complain([], _name_problems(self._seen), patience=0.0)

    @property
    def interval(self) -> float:
        """Seconds until the next look."""
        return max(INTERVAL, _EACH * len(self._seen.stamps))

    def close(self) -> None:
        """Give the file in memory up."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def look(self) -> None:
        """Look whether files have changed, and put new ones in force if all of them can be used."""
        seen = self._seen
        if not self._wrong and not self._fresh(seen) and self._collector.stamps(seen) == seen.stamps:
            return
        found = self._seen = self._collector.collect()
        wrong = [*self._collector.problems(found), *self._collector.client_problems(found)]
        self._complain([reason for _service, reason in wrong], _name_problems(found), _PATIENCE)
        # A service whose files cannot be used keeps all of its former ones; the others go on.
        held = set().union(*(self._collector.paths_of(service) for service, _reason in wrong))
        certificates = _with_former(found, self._certificates, held)
        if certificates == self._certificates:
            return
        if wrong and any(self._collector.problems(Collection(certificates))):
            return  # files that services share
        fd = certificates.pack()
        self._send(fd)
        self._log.emit(RENEWED, _difference(self._certificates, certificates))
        self.close()
        self.fd, self._certificates = fd, certificates

    def _fresh(self, seen: Collection) -> bool:
        now = self._clock.now()
        return any(stamp and abs(now - stamp[0] / 1e9) < _FRESH for stamp in seen.stamps.values())

    def _complain(self, unusable: list[str], names: list[str], patience: float) -> None:
        """Say what is wrong, once, when it has been for a while."""
        now = self._clock.steady()
        reasons = dict.fromkeys(unusable, REFUSED) | dict.fromkeys(names, SKIPPED)
        self._wrong = {reason: self._wrong.get(reason, now) for reason in reasons}
        self._said &= self._wrong.keys()
        for reason, since in self._wrong.items():
            if reason not in self._said and now - since >= patience:
                self._said.add(reason)
                self._log.emit(reasons[reason], reason)


def _name_problems(found: Collection) -> list[str]:
    return [*found.tables.values(), *(f"{name}: {why}" for (_maps, name), why in found.names.items())]


def _with_former(found: Collection, former: Certificates, held: set[str]) -> Certificates:
    """Return what was found; what cannot be read now, or is not to be used, stays what it was."""
    now = found.certificates
    files = {path: former.files[path] for path in (*found.unreadable, *held) if path in former.files}
    sni = {}
    for maps, names in now.sni.items():
        before = former.sni.get(maps, {})
        if any(spec in found.tables for spec in maps.split()):
            kept = dict(before)
        else:
            kept = {name: before[name] for name in before if (maps, name) in found.names}
        sni[maps] = kept | dict(names)
    return replace(now, files=dict(now.files) | files, sni=sni)


def _difference(former: Certificates, now: Certificates) -> str:
    """Return what has changed, in words for the log."""
    paths = former.files.keys() | now.files.keys()
    changed = sorted(path for path in paths if former.files.get(path) != now.files.get(path))
    for maps in former.sni.keys() | now.sni.keys():
        before, after = former.sni.get(maps, {}), now.sni.get(maps, {})
        names = before.keys() | after.keys()
        changed += sorted(name for name in names if before.get(name) != after.get(name))
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return ", ".join(changed[:_NAMED]) + more
