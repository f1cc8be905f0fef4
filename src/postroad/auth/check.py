"""What ``postroad check`` says about how clients log in."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable

from postroad.auth import params as p
from postroad.auth.build import UNSUPPORTED, accounts, built_in, offer_of, sasl_place, throttle_of, tokens_of
from postroad.base.clock import SystemClock
from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.base.params import Settings
from postroad.model.params import MAIL_OWNER
from postroad.tables.context import TableContext

Where = Callable[[str], str]


def check(settings: Settings, where: Where, tables: TableContext) -> list[Problem]:
    """Return the problems of one service's AUTH; ``where`` gives a parameter's ``file:line``."""
    if not settings[p.AUTH_ENABLE]:
        return []
    kind = settings[p.SASL_TYPE].lower()
    place = where(p.SASL_TYPE.name) or where(p.AUTH_ENABLE.name)
    if kind == "cyrus":
        text = f"smtpd_sasl_type = {kind} is {UNSUPPORTED}"
        return [Problem(place, text, "AUTH is not offered: nobody can log in", Severity.UNSUPPORTED)]
    if kind not in ("dovecot", "postroad"):
        return [Problem(place, f"smtpd_sasl_type = {kind}: {UNSUPPORTED}")]
    try:
        offer = offer_of(settings, tables)
        if kind == "dovecot":
            sasl_place(settings)
            return []
        clock = SystemClock()
        ours = built_in(settings, offer, throttle_of(settings, clock), tables, clock)
    except ValueError as error:
        return [Problem(where(p.SASL_PATH.name) or place, str(error))]
    found = []
    if not ours.mechanisms(tls=True):
        text = "no mechanism of smtpd_sasl_mechanisms is left to be offered: AUTH is not, even with TLS"
        found.append(Problem(where(p.MECHANISMS.name) or place, text, "", Severity.WARNING))
    return found + _sources(settings, where, tables)


def _sources(settings: Settings, where: Where, tables: TableContext) -> list[Problem]:
    """Return what is wrong with the files of users and keys."""
    found = []
    path = settings[p.SASL_PATH]
    hint = "while it cannot be read, nobody can log in (454)"
    if not path.startswith("pam:"):
        try:
            accounts(path, tables).load()
        except TableUnavailable as error:
            text = f"smtpd_sasl_path: {error}"
            found.append(Problem(where(p.SASL_PATH.name), text, hint, Severity.WARNING))
        else:
            found += _rights(path, settings[MAIL_OWNER], where(p.SASL_PATH.name))
    tokens = tokens_of(settings, tables, SystemClock())
    try:
        if tokens is not None:
            tokens.load()
    except TableUnavailable as error:
        text = f"smtpd_oauth_keys: {error}"
        found.append(Problem(where(p.OAUTH_KEYS.name), text, hint, Severity.WARNING))
    return found


def _rights(path: str, owner: str, place: str) -> list[Problem]:
    """Return what is wrong with who may read a users file."""
    if not path.startswith("/"):
        return []
    status = os.stat(path)  # noqa: PTH116 - it was read just now
    if status.st_mode & stat.S_IROTH:
        text = f"smtpd_sasl_path: everybody on this system can read the passwords in {path}"
        hint = f"chown root:{owner} {path}; chmod 640 {path}"
        return [Problem(place, text, hint, Severity.WARNING)]
    try:
        user = pwd.getpwnam(owner)
        groups = os.getgrouplist(owner, user.pw_gid)
    except KeyError:
        return []
    mine = status.st_uid == user.pw_uid
    if status.st_mode & (stat.S_IRUSR if mine else stat.S_IRGRP) and (mine or status.st_gid in groups):
        return []
    text = f"smtpd_sasl_path: {path} cannot be read by mail_owner ({owner})"
    hint = f"nobody can log in; chgrp {user.pw_gid} {path}; chmod 640 {path}"
    return [Problem(place, text, hint, Severity.WARNING)]
