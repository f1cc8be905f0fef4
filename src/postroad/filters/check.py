"""What ``postroad check`` says about milters."""

from __future__ import annotations

from collections.abc import Callable

from postroad.base.errors import Problem, Severity
from postroad.base.params import Settings
from postroad.filters import params as p
from postroad.filters.macros import Macros
from postroad.filters.spec import read_milters

Where = Callable[[str], str]


def check(settings: Settings, where: Where) -> list[Problem]:
    """Return the problems of one service's milters; ``where`` gives a parameter's ``file:line``."""
    found: list[Problem] = []
    for param in (p.SMTPD_MILTERS, p.NON_SMTPD_MILTERS):
        members: tuple[str, ...] = settings[param]
        try:
            read_milters(members, settings)
        except ValueError as error:
            found.append(Problem(where(param.name), f"{param.name}: {error}"))
    try:
        Macros(settings)
    except ValueError as error:
        found.append(Problem(where(p.MILTER_MACRO_DEFAULTS.name), str(error)))
    classes: tuple[str, ...] = settings[p.INTERNAL_MAIL_FILTER_CLASSES]
    place = where(p.INTERNAL_MAIL_FILTER_CLASSES.name)
    for name in classes:
        if name == "notify":
            text = f"{p.INTERNAL_MAIL_FILTER_CLASSES.name}: no mail of the class notify is made here"
            found.append(Problem(place, text, "", Severity.MEANINGLESS))
        elif name != "bounce":
            text = f"{p.INTERNAL_MAIL_FILTER_CLASSES.name}: unknown class {name}"
            found.append(Problem(place, text, "bounce or notify"))
    return found
