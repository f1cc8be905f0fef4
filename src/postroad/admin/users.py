"""Which local users may list and flush the queue: ``authorized_mailq_users`` and its like."""

from __future__ import annotations

from postroad.admin.person import user_name as user_name  # noqa: PLC0414 - to be had from here too
from postroad.base.params import Param, Settings
from postroad.model.params import MAIL_OWNER
from postroad.tables.context import TableContext
from postroad.tables.matchlist import StringList


async def is_authorized(uid: int, param: Param[tuple[str, ...]], settings: Settings, context: TableContext) -> bool:  # fmt: skip  # noqa: E501
    """Return whether a list of users has the user; the super-user and $mail_owner always may.

    TableUnavailable when it could not look, ValueError for a list that cannot be used.
    """
    name = user_name(uid)
    if uid == 0 or name == settings[MAIL_OWNER]:
        return True
    members = settings[param]
    if members == ("static:anyone",):
        return True
    return await StringList(members, context).matches(name)
