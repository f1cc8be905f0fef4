"""What ``postroad check`` says about restriction lists."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Final

from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.base.params import Settings
from postroad.model.params import MYNETWORKS
from postroad.policy import params as p
from postroad.policy.compiler import Classes, Item, Sort, classes_of, is_guarded, read_list
from postroad.policy.names import KNOWN
from postroad.tables.context import TableContext
from postroad.tables.matchlist import AddressList

_LISTS: Final = (
    p.CLIENT_RESTRICTIONS,
    p.HELO_RESTRICTIONS,
    p.SENDER_RESTRICTIONS,
    p.RELAY_RESTRICTIONS,
    p.RECIPIENT_RESTRICTIONS,
    p.DATA_RESTRICTIONS,
    p.END_OF_DATA_RESTRICTIONS,
    p.ETRN_RESTRICTIONS,
)


def check(settings: Settings, where: Callable[[str], str], tables: TableContext) -> list[Problem]:
    """Return the problems of one service's restrictions; ``where`` gives a parameter's ``file:line``."""
    problems = _network_problems(settings, where, tables)
    names = settings[p.RESTRICTION_CLASSES]
    classes: dict[str, tuple[str, ...]] = {}
    for name in names:
        try:
            classes |= classes_of((name,), settings.texts)
        except ValueError as error:
            problems.append(Problem(where(p.RESTRICTION_CLASSES.name), str(error)))
    for param in _LISTS:
        words = settings[param]
        problems += _list_problems(where(param.name), words, classes)
    for name, members in classes.items():
        problems += _list_problems(where(name), members, classes)
    if not _has_guard(settings, classes):
        problems.append(_open_relay(where))
    return problems


def _network_problems(settings: Settings, where: Callable[[str], str], tables: TableContext) -> list[Problem]:
    members = settings[MYNETWORKS]
    try:
        AddressList(members, tables).load()
    except (ValueError, TableUnavailable) as error:
        return [Problem(where(MYNETWORKS.name), f"mynetworks: {error}")]
    return []


def _has_guard(settings: Settings, classes: Classes) -> bool:
    relay, recipient = settings[p.RELAY_RESTRICTIONS], settings[p.RECIPIENT_RESTRICTIONS]
    return is_guarded(relay, classes) or is_guarded(recipient, classes)


def _open_relay(where: Callable[[str], str]) -> Problem:
    return Problem(
        where(p.RELAY_RESTRICTIONS.name),
        "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one "
        "working instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, "
        "defer_if_permit or check_relay_domains",
        "without one this server would relay mail for everybody",
    )


def _list_problems(where: str, words: tuple[str, ...], classes: Classes) -> list[Problem]:
    problems = []
    for item in read_list(words, classes):
        if item.sort is Sort.UNSUPPORTED:
            problems.append(_unsupported(where, item))
        elif item.sort is Sort.UNKNOWN:
            near = difflib.get_close_matches(item.name.lower(), KNOWN, 1)
            problems.append(
                Problem(
                    where,
                    f'unknown smtpd restriction: "{item.name}": '
                    "clients that get to it are told 451 4.3.5 Server configuration error",
                    f"did you mean '{near[0]}'?" if near else "",
                    Severity.WARNING,
                )
            )
    return problems


def _unsupported(where: str, item: Item) -> Problem:
    words = f"{item.name} {item.argument}".strip()
    if item.name.startswith("permit_"):
        effect = "it never permits"
    elif item.name.startswith("reject_"):
        effect = "it never refuses"
    else:
        effect = "it is passed over: what it would permit is not, what it would refuse is not"
    return Problem(where, f"{words}: this restriction is not supported yet", effect, Severity.UNSUPPORTED)
