"""The users of this machine, by their ids."""

from __future__ import annotations

import os
import pwd


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
