"""Restriction lists as they are read: what each word of main.cf stands for.

The compiler and ``postroad check`` both look at these; so what is reported and what is run cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from postroad.base.kinds import LIST
from postroad.base.params import Param
from postroad.policy import params as p
from postroad.policy.names import MAKERS, TAKERS, WARN_IF_REJECT

#: What ``type:table`` alone means in each list; in the others it means nothing.
DEFAULTS: Final[Mapping[Param[tuple[str, ...]], str]] = {
    p.CLIENT_RESTRICTIONS: "check_client_access",
    p.HELO_RESTRICTIONS: "check_helo_access",
    p.SENDER_RESTRICTIONS: "check_sender_access",
    p.RELAY_RESTRICTIONS: "check_recipient_access",
    p.RECIPIENT_RESTRICTIONS: "check_recipient_access",
    p.ETRN_RESTRICTIONS: "check_etrn_access",
}

Classes = Mapping[str, tuple[str, ...]]


class Sort(Enum):
    """What a word of a restriction list turned out to be."""

    WORKS = "works"
    TAKES = "takes an argument"
    CLASS = "class"
    MISPLACED = "table in a list that has no table look-up of its own"
    UNKNOWN = "unknown"


class Item(NamedTuple):
    """One restriction: its name in lower case (a class's as written), its argument, what it is."""

    name: str
    argument: str
    sort: Sort
    warn: bool


def read_list(words: Iterable[str], classes: Classes, default: str = "") -> Iterator[Item]:
    """Yield the restrictions that the words say.

    ``type:table`` alone is short for ``default``, the access check of the list it stands in; one
    restriction behind ``warn_if_reject`` is only warned of.
    """
    warn = False
    waiting = iter(words)
    for word in waiting:
        name = word.lower()
        if name == WARN_IF_REJECT:
            warn = True
            continue
        if ":" in word or word.startswith("{"):
            yield Item(default, word, Sort.TAKES if default else Sort.MISPLACED, warn)
        elif name in MAKERS:
            yield Item(name, "", Sort.WORKS, warn)
        elif name in TAKERS:
            yield Item(name, next(waiting, ""), Sort.TAKES, warn)
        elif word in classes:
            yield Item(word, "", Sort.CLASS, warn)
        else:
            yield Item(word, "", Sort.UNKNOWN, warn)
        warn = False


def classes_of(names: Iterable[str], texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the restriction classes; ValueError for one that is not defined."""
    classes = {}
    for name in names:
        classes[name] = LIST.parse(texts.get(name, ""))
        if not classes[name]:
            raise ValueError(f"restriction class `{name}' needs a definition")
    return classes
