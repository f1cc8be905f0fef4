from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.harness import a_place


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for servers that their own users may enter."""
    with a_place() as path:
        yield path
