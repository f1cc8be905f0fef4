"""Which restrictions decided: noted only where one refuses or puts off, for the records of refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from postroad.model.explain import Trail
from postroad.model.reply import Reply
from postroad.policy.verdict import Check

if TYPE_CHECKING:
    from postroad.policy.items import Item

_Path = list[tuple[tuple[Check, ...], Check]]


class Restrictions(tuple[Check, ...]):  # noqa: SLOT001 - a tuple cannot have slots of its own
    """A compiled list that knows what it was made from.

    ``items`` are the restrictions that its checks stand for, each with its place among the words.
    """

    name: str
    items: Sequence[tuple[int, Item]]

    def __new__(cls, checks: Sequence[Check], name: str, items: Sequence[tuple[int, Item]]) -> Self:
        """Make the list."""
        made = super().__new__(cls, checks)
        made.name = name
        made.items = items
        return made


class Hit(NamedTuple):
    """What a table said, or ``error``: why it could not be asked."""

    table: str
    key: str
    value: str
    error: str = ""


class _Mark:
    """A restriction that put something off, noted from the inside out."""

    __slots__ = ("depth", "hit", "kind", "path")

    def __init__(self, kind: str, depth: int, hit: Hit | None) -> None:
        self.kind = kind
        self.depth = depth
        self.hit = hit
        self.path: _Path = []


class Notes:
    """What one question has met with."""

    __slots__ = ("_open", "marks", "path")

    def __init__(self) -> None:
        self.path: _Path = []
        self.marks: dict[str, _Mark] = {}
        self._open: list[_Mark] = []

    def begin(self, kind: str, depth: int, hit: Hit | None) -> None:
        """A restriction inside so many lists has put something off."""
        mark = self.marks[kind] = _Mark(kind, depth, hit)
        self._open.append(mark)

    def mark(self, depth: int, checks: tuple[Check, ...], check: Check) -> None:
        """Note, on the way out, the list and the restriction at one depth."""
        for mark in self._open:
            if len(mark.path) == mark.depth - depth:
                mark.path.append((checks, check))
        if depth == 0:
            self.close()

    def close(self) -> None:
        """What was put off inside a list that has now answered is noted no further out."""
        self._open.clear()


def item_text(item: Item) -> str:
    """Return a restriction as it stands in main.cf."""
    text = f"{item.name} {item.argument}" if item.argument else item.name
    return f"warn_if_reject {text}" if item.warn else text


def trail_of(path: _Path, hit: Hit | None, error: str = "") -> Trail | None:
    """Return what is kept of a path, None when there is none."""
    found = []
    obeyed = False
    for checks, check in reversed(path):
        if isinstance(checks, Restrictions) and check in checks:
            place, item = checks.items[checks.index(check)]
            found.append((checks.name, place, item_text(item)))
            # What another restriction's table said before is not the reason.
            obeyed = obeyed or (hit is not None and hit.table in item.argument)
    if not found and not error:
        return None
    if hit is None or not obeyed:
        return Trail(tuple(found), error=error)
    return Trail(tuple(found), hit.table, hit.key, hit.value, error or hit.error)


def trails_of(notes: Notes | None, hit: Hit | None, reply: Reply, error: str = "") -> tuple[Trail | None, Trail | None]:  # fmt: skip  # noqa: E501
    """Return what decided, and what stood behind it when its reply was said in the place of another's."""
    if notes is None:
        return (trail_of([], None, error), None)
    decided = trail_of(notes.path, hit, error)
    behind = None
    for kind in ("doubt", "put_off"):
        mark = notes.marks.get(kind)
        if mark is not None and reply.code < 500 and not error:
            trail = trail_of(mark.path, mark.hit)
            if decided is None:
                decided = trail
            elif kind == "doubt":
                behind = trail
    return decided, behind
