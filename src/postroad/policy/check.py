"""What ``postroad check`` says about restriction lists."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.base.params import Settings
from postroad.model.params import COMPATIBILITY_LEVEL, MYNETWORKS
from postroad.policy import params as p
from postroad.policy.certificates import CCERT, CertificateTable
from postroad.policy.check_tables import TOLD, table_problems
from postroad.policy.delegation import read_spec
from postroad.policy.guard import FATAL, has_guard
from postroad.policy.hook_module import find_hook
from postroad.policy.items import DEFAULTS, Classes, Item, Sort, classes_of, read_list
from postroad.policy.listed import TAKERS as LISTS_IN_DNS
from postroad.policy.names import KNOWN, TABLE_TAKERS
from postroad.proto.dnsbl import Pattern
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


#: Restrictions that ask a program, and what stands behind them.
_PROGRAMS: Final = {"check_policy_service": "transport:server", "check_python": "module:function"}


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
        words, default = settings[param], DEFAULTS.get(param, "")
        problems += _list_problems(where(param.name), words, classes, tables, default, settings)
    for name, members in classes.items():
        problems += _list_problems(where(name), members, classes, tables, "check_client_access", settings)
    return problems + _guard_problems(settings, classes, where)


def _network_problems(settings: Settings, where: Callable[[str], str], tables: TableContext) -> list[Problem]:
    problems = []
    lists = {MYNETWORKS.name: settings[MYNETWORKS], p.MX_BACKUP_NETWORKS.name: settings[p.MX_BACKUP_NETWORKS]}
    for name, members in lists.items():
        try:
            AddressList(members, tables).load()
        except (ValueError, TableUnavailable) as error:
            problems.append(Problem(where(name), f"{name}: {error}"))
    return problems


def _guard_problems(settings: Settings, classes: Classes, where: Callable[[str], str]) -> list[Problem]:
    if has_guard(settings, classes):
        return []
    place = where(p.RELAY_RESTRICTIONS.name)
    if place:
        return [Problem(place, FATAL, "without one this server would relay mail for everybody")]
    hint = "set it, or compatibility_level = 3.6"
    message = (
        "smtpd_relay_restrictions is empty below compatibility_level 1, and smtpd_recipient_restrictions "
        f"does not say who may relay: {p.RELAY_DEFAULT} is in force"
    )
    return [Problem(where(COMPATIBILITY_LEVEL.name), message, hint, Severity.WARNING)]


def _list_problems(
    where: str,
    words: tuple[str, ...],
    classes: Classes,
    tables: TableContext,
    default: str,
    settings: Settings,
) -> list[Problem]:
    problems: list[Problem] = []
    for item in read_list(words, classes, default):
        if item.sort is Sort.UNKNOWN:
            near = difflib.get_close_matches(item.name.lower(), KNOWN, 1)
            hint = f"did you mean '{near[0]}'?" if near else ""
            problems.append(_error_when_reached(where, f'unknown smtpd restriction: "{item.name}"', hint))
        elif item.sort is Sort.MISPLACED:
            text = f"{item.argument}: this list has no access check of its own"
            hint = "put check_client_access, check_sender_access ... in front of the table"
            problems.append(_error_when_reached(where, text, hint))
        elif item.sort is Sort.TAKES:
            problems += _argument_problems(where, item, tables, classes, settings)
    return problems


def _argument_problems(
    where: str, item: Item, tables: TableContext, classes: Classes, settings: Settings
) -> list[Problem]:
    if item.name in TABLE_TAKERS:
        spec = item.argument
        if item.name == CCERT:
            try:
                spec = CertificateTable.read(spec).spec
            except ValueError as error:
                return [_error_when_reached(where, str(error))]
        if ":" in spec:
            return [
                replace(each, where=each.where or where) for each in table_problems(spec, tables, classes)
            ]
        text = f'restriction {item.name}: bad argument "{item.argument}": need maptype:mapname'
        return [_error_when_reached(where, text)]
    if item.name in LISTS_IN_DNS:
        return _dns_list_problems(where, item)
    if item.name in _PROGRAMS:
        return _program_problems(where, item, tables, settings)
    if item.name == "sleep" and not item.argument.isdigit():
        return [_error_when_reached(where, "restriction sleep must be followed by number")]
    return []


def _program_problems(where: str, item: Item, tables: TableContext, settings: Settings) -> list[Problem]:
    """Return why a policy server or a function cannot be asked; without them the server does not start."""
    if ":" not in item.argument:
        text = f"restriction {item.name} must be followed by {_PROGRAMS[item.name]}"
        return [_error_when_reached(where, text)]
    try:
        if item.name == "check_python":
            find_hook(item.argument, tables.config_directory)
        else:
            read_spec(item.argument, settings)
    except ValueError as error:
        return [Problem(where, f"{item.name} {error}")]
    return []


def _dns_list_problems(where: str, item: Item) -> list[Problem]:
    domain, _, pattern = item.argument.partition("=")
    if not domain:
        return [
            Problem(where, f"restriction {item.name} requires domain name argument", "", Severity.WARNING)
        ]
    try:
        if pattern:
            Pattern(pattern)
    except ValueError as error:
        hint = "four numbers, or [number;number..number]"
        return [Problem(where, f"{item.name} {item.argument}: {error}", hint)]
    return []


def _error_when_reached(where: str, text: str, hint: str = "") -> Problem:
    return Problem(where, f"{text}: {TOLD}", hint, Severity.WARNING)
