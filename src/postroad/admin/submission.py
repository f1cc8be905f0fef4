"""Who of the local users may hand in mail, asked by the server: ``authorized_submit_users``.

The command asks as well, to say so before it reads a message; but a user may run any program of his own.
"""

from __future__ import annotations

from postroad.admin.person import user_name
from postroad.base.params import Settings
from postroad.model.ports import Policy
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.store.params import AUTHORIZED_SUBMIT_USERS
from postroad.tables.context import TableContext
from postroad.tables.matchlist import StringList

_ANYONE = ("static:anyone",)


async def may_submit(uid: int, settings: Settings, context: TableContext) -> bool:
    """Return whether a user may hand in mail.  No exception is made for the super-user, as in Postfix.

    TableUnavailable when it could not look, ValueError for a list that cannot be used.
    """
    members = settings[AUTHORIZED_SUBMIT_USERS]
    return members == _ANYONE or await StringList(members, context).matches(user_name(uid))


def submission_policy(settings: Settings, context: TableContext) -> Policy | None:
    """Return the policy for sessions of local users, None when every user may hand in mail."""
    if settings[AUTHORIZED_SUBMIT_USERS] == _ANYONE:
        return None
    return SubmissionPolicy(settings, context)


class SubmissionPolicy:
    """Refuses MAIL to users who are not on the list; lets everything else pass."""

    def __init__(self, settings: Settings, context: TableContext) -> None:
        self._settings = settings
        self._context = context

    async def mail(self, session: Session) -> Reply | None:
        """Refuse or not.  TableUnavailable when it could not look."""
        uid = session.client.local_uid
        if uid is not None and await may_submit(uid, self._settings, self._context):
            return None
        name = "unknown" if uid is None else user_name(uid)
        return Reply(550, "5.7.1", f"User {name}({uid}) is not allowed to submit mail")

    async def connect(self, session: Session) -> Reply | None:
        """Let pass, as all that follow."""

    async def helo(self, session: Session) -> Reply | None:
        """See ``connect``."""

    async def routing(self, session: Session, address: str) -> Reply | None:
        """See ``connect``."""

    async def recipient(self, session: Session, address: str) -> Reply | None:
        """See ``connect``."""

    async def data(self, session: Session) -> Reply | None:
        """See ``connect``."""

    async def end_of_data(self, session: Session, size: int) -> Reply | None:
        """See ``connect``."""

    async def verify(self, session: Session, address: str) -> Reply | None:
        """See ``connect``."""

    async def etrn(self, session: Session, domain: str) -> Reply | None:
        """See ``connect``."""
