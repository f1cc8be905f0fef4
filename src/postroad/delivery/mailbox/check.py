"""What ``postroad check`` says about mailboxes and aliases."""

from __future__ import annotations

from collections.abc import Callable

from postroad.base.errors import Problem, Severity
from postroad.base.params import Param, Settings
from postroad.delivery.mailbox import params as p
from postroad.delivery.mailbox.aliases import Sort, read_alias
from postroad.delivery.mailbox.mbox import METHODS
from postroad.model import params as model

Where = Callable[[str], str]


def check_virtual(settings: Settings, where: Where) -> list[Problem]:
    """Return the problems of the virtual(8) agent; ``where`` gives a parameter's ``file:line``."""
    problems = _limit_problems(settings, where, p.VIRTUAL_MAILBOX_LIMIT)
    base = settings[p.VIRTUAL_MAILBOX_BASE]
    if settings[model.VIRTUAL_MAILBOX_MAPS] and not base.startswith("/"):
        problems.append(
            Problem(
                where(p.VIRTUAL_MAILBOX_BASE.name),
                f"do not specify relative pathname: virtual_mailbox_base = {base}",
                "mail for virtual mailboxes is deferred until it begins with /",
                Severity.WARNING,
            )
        )
    problems += [
        Problem(
            where(p.VIRTUAL_MAILBOX_LOCK.name),
            f"parameter virtual_mailbox_lock: unknown mailbox locking method: {method}",
            f"known are {', '.join(METHODS)}",
        )
        for method in settings[p.VIRTUAL_MAILBOX_LOCK]
        if method not in METHODS
    ]
    return problems


def check_local(settings: Settings, where: Where) -> list[Problem]:
    """Return the problems of the local(8) agent."""
    return _limit_problems(settings, where, model.MAILBOX_SIZE_LIMIT)


def _limit_problems(settings: Settings, where: Where, param: Param[int]) -> list[Problem]:
    """Postfix's rule: what was accepted must not be refused by the mailbox for its size alone."""
    limit, message = settings[param], settings[model.MESSAGE_SIZE_LIMIT]
    if limit and not message:
        text = f"configuration error: {param.name} is limited but message_size_limit is unlimited"
    elif limit and limit < message:
        text = f"configuration error: {param.name} is smaller than message_size_limit"
    else:
        return []
    # Postfix's agents stop at this; we go on, and return what is larger than its mailbox may be.
    hint = "a message that is accepted may be too large for its mailbox, and is returned then"
    return [Problem(where(param.name), text, hint, Severity.WARNING)]


def check_alias(where: str, name: str, value: str) -> list[Problem]:
    """Return what in one alias is not supported; ``where`` is its file and line."""
    words = {Sort.COMMAND: "command", Sort.FILE: "file", Sort.INCLUDE: "list in a file (:include:)"}
    return [
        Problem(
            where,
            f"alias {name}: delivery to a {words[member.sort]} is not supported yet: {member.text}",
            "mail for it is deferred",
            Severity.UNSUPPORTED,
        )
        for member in read_alias(value)
        if member.sort is not Sort.ADDRESS
    ]
