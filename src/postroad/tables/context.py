"""What opening a table needs to know, and the tables that are open."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from postroad.base.clock import Clock, SystemClock
from postroad.model.explain import Lookup
from postroad.model.ports import Table


def _nobody(text: str) -> None:
    """Hear a warning and forget it."""


def _nothing(path: str) -> bytes | None:  # noqa: ARG001 - as in every such function
    """Know no file that this process may not read."""
    return None


@dataclass(slots=True, eq=False)
class TableContext:
    """The surroundings of the tables of one configuration; the same ``type:name`` is opened once.

    ``config_directory`` is where relative file names begin ("" for the working directory).
    ``texts`` are the expanded parameters (``Settings.texts``).  ``warn`` hears of lines that are
    left out and of files that cannot be read any more.  ``interval`` is the number of seconds
    between two looks at a file for changes.  ``private`` gives the content of a file that this process
    may not read, from one that may, None where it has none.  ``watch`` hears of every look-up in the
    tables that are opened from then on.
    """

    config_directory: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    warn: Callable[[str], None] = _nobody
    random: random.Random = field(default_factory=random.Random)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    interval: float = 1.0
    private: Callable[[str], bytes | None] = _nothing
    watch: Callable[[Lookup], None] | None = None
    tables: dict[tuple[str, bool], Table] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Return the file that a table's name means."""
        return os.path.join(self.config_directory, name)  # noqa: PTH118 - text, asked for often

    def is_alias_file(self, spec: str) -> bool:
        """Return whether alias_maps or alias_database names this table, so that it has their format."""
        return any(
            spec in (member, member.removeprefix("proxy:"))
            for name in ("alias_maps", "alias_database")
            for member in self.texts.get(name, "").replace(",", " ").split()
        )
