"""Which local users may list and flush the queue: ``authorized_mailq_users`` and its like."""

from __future__ import annotations

import os
import pwd

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


def user_name(uid: int) -> str:
    """Return a user's login name, ``unknown`` if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "unknown"


def full_name(uid: int) -> str:
    """Return a user's full name: $NAME, else what the password file has; "" if there is none."""
    if name := os.environ.get("NAME"):
        return name
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return ""
    # The field has room, telephone and more behind a comma; & stands for the login name.
    return entry.pw_gecos.partition(",")[0].replace("&", entry.pw_name.capitalize())
