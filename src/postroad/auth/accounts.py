"""What is asked of those who know the users, and how "could not look" is said."""

from __future__ import annotations

from typing import Protocol

from postroad.auth.schemes import Stored
from postroad.base.errors import PostroadError


class AuthUnavailable(PostroadError):  # noqa: N818 - a state, not a defect
    """Nobody could look who the client is.  The client is asked to come again; it was not wrong."""


class Accounts(Protocol):
    """Finds users' stored passwords.  Names come prepared and in lower case."""

    name: str

    async def find(self, username: str, address: str) -> Stored | None:
        """Return a user's stored password; None for a user who is not there or may not come from there.

        TableUnavailable or AuthUnavailable when it could not look.
        """
        ...

    def sample(self) -> Stored | None:
        """Return a stored password such as the users have, None while none is known."""
        ...

    def load(self) -> None:
        """Read what there is to read, so that problems are known.  TableUnavailable when it fails."""
        ...
