"""The reference of all parameters, made from their declarations."""

from __future__ import annotations

from typing import Any, Final

from postroad.base.params import Family, Param, Registry

_TITLES: Final = {
    "model": "The mail system as a whole",
    "net": "Networks and the DNS",
    "tables": "Look-up tables",
    "store": "The queue",
    "listener": "Accepting connections",
    "smtpd": "SMTP sessions",
    "policy": "Access restrictions",
    "intake": "Taking messages in",
    "scheduler": "Scheduling deliveries",
    "routing": "Routing",
    "delivery.smtp": "Delivery by SMTP and LMTP",
    "delivery.mailbox": "Delivery to mailboxes",
    "outcome": "Retries and notices",
    "admin": "Commands",
    "app": "Processes",
}
_HEAD: Final = """\
# Parameters

Every parameter of `main.cf` that Postroad obeys. Names, defaults and meanings are Postfix's; those
marked *own* are Postroad's. A parameter that is not here has no effect: `postroad check` says of each
one in your configuration what happens instead. Times may have a unit (`s`, `m`, `h`, `d`, `w`).

This file is printed by `postroad manual`.
"""


def manual(registry: Registry) -> str:
    """Return the reference as Markdown, one section for each room."""
    parts = [_HEAD]
    for group in registry.groups:
        if not group.params and not group.families:
            continue
        parts.append(f"## {_TITLES.get(group.room, group.room)}\n")
        parts += [entry(param) for param in sorted(group.params, key=lambda param: param.name)]
        parts += [family_entry(family) for family in sorted(group.families, key=lambda family: family.suffix)]
    return "\n".join(parts)


def entry(param: Param[Any]) -> str:
    """Return one parameter's paragraph: name, default, sentence, sort and bounds."""
    default = f"`{param.default}`" if isinstance(param.default, str) and param.default else "(empty)"
    if not isinstance(param.default, str):
        default = "(found out on the machine)"
    remarks = [_sort(param), *_bounds(param)]
    if param.own:
        remarks.append("own")
    if not param.live:
        remarks.append("takes effect on restart")
    return f"### {param.name}\n\nDefault: {default}\n\n{param.doc}\n\n*{'; '.join(remarks)}*\n"


def family_entry(family: Family[Any]) -> str:
    """Return the paragraph of a parameter that each transport has under its own name."""
    heading = f"### *transport*{family.suffix}"
    remarks = "; ".join([_sort(family), *_bounds(family)])
    return f"{heading}\n\nDefault: `{family.default}`\n\n{family.doc}\n\n*{remarks}*\n"


def _sort(param: Param[Any] | Family[Any]) -> str:
    return param.kind.name[0].upper() + param.kind.name[1:]


def _bounds(param: Param[Any] | Family[Any]) -> list[str]:
    bounds = [("at least", param.low), ("at most", param.high)]
    return [f"{words} {param.kind.show(bound)}" for words, bound in bounds if bound is not None]
