"""What a restriction answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from postroad.base.errors import PostroadError
from postroad.model.reply import Reply

if TYPE_CHECKING:
    from postroad.policy.query import Query


class Permit(Enum):
    """The one value that ends a restriction list with a yes."""

    PERMIT = "permit"


PERMIT = Permit.PERMIT

#: None goes on with the next restriction (Postfix's DUNNO), PERMIT ends the list, a Reply refuses.
Verdict: TypeAlias = Permit | Reply | None

#: A restriction answers at once, or with a coroutine when it has to wait.
#: TableUnavailable, LookupUnavailable and ServerError are its three ways to say "could not look".
Check: TypeAlias = Callable[["Query"], Verdict | Coroutine[Any, Any, Verdict]]


class ServerError(PostroadError):
    """A restriction that cannot be used as it is configured; the client hears 451 4.3.5."""
