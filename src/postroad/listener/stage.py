"""Where a client under test is."""

from __future__ import annotations

from enum import Enum, auto


class Stage(Enum):
    """Where the client is."""

    PROXY = auto()  # the proxy has not said yet who it is
    JUDGED = auto()  # what is known of it is looked up
    EARLY = auto()  # it waits for the greeting
    LATE = auto()  # it talks with us
    OVER = auto()
