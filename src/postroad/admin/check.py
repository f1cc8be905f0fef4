"""What is wrong with a configuration, what of it is not obeyed, and what happens instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from postroad.base import known
from postroad.base.config import Config, Service
from postroad.base.errors import Problem, Severity

_ORDER: Final = (Severity.ERROR, Severity.UNSUPPORTED, Severity.MEANINGLESS, Severity.WARNING)

#: The commands of master.cf that Postroad runs as such.
RUN: Final = frozenset({"smtpd", "smtp", "lmtp", "local", "virtual", "error", "discard", "postscreen"})
#: Postfix's internal daemons: their work is done inside the server.
INSIDE: Final = frozenset(
    {"pickup", "cleanup", "qmgr", "oqmgr", "nqmgr", "tlsmgr", "trivial-rewrite", "bounce", "verify", "flush"}
    | {"proxymap", "showq", "anvil", "scache", "postlogd", "tlsproxy", "dnsblog"}
)
_OFF: Final = ("", "no", "none")
_INSTEAD: Final = {
    "pipe": "no program is run: mail for this transport stays in the queue",
    "spawn": "the program is not started",
    "qmqpd": "its port is not opened",
}

Check = Callable[[Config], list[Problem]]


def check(config: Config, further: Iterable[Check] = ()) -> list[Problem]:
    """Return every finding: errors first, then what is not supported, what is meaningless, warnings.

    ``further`` are the checks of other rooms; one that raises is itself an error, never silence.
    """
    found = list(config.problems)
    found += _undeclared(config)
    for service in config.services:
        found += _service_problems(config, service)
    for each in further:
        found += each(config)
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda problem: _ORDER.index(problem.severity))


def _set_names(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield (name, text, where) of every setting of main.cf and master.cf."""
    for name, setting in config.main.items():
        yield name, setting.text, setting.where
    for service in config.services:
        if service.command in INSIDE:
            continue  # such overrides act on a daemon that has no process here
        for name, text in service.overrides.items():
            yield name, text, service.places[name]


def _undeclared(config: Config) -> list[Problem]:
    """Return a finding for each of Postfix's parameters that is set and not declared."""
    transports = {service.name for service in config.services}
    found: list[Problem] = []
    for name, text, where in _set_names(config):
        if name in config.registry:
            continue
        family = config.registry.family_of(name)
        if (family and family[1] in transports) or not known.is_known(name, transports):
            continue
        severity, sentence = known.fate(name)
        if text in _OFF and text == known.default_of(name):
            continue  # it turns off what is not there
        found.append(Problem(where, f"{name}: {sentence}", "", severity))
    return found


def _service_problems(config: Config, service: Service) -> list[Problem]:
    command = service.command.rpartition("/")[2]
    if command in INSIDE:
        return []
    if command == "smtpd" and service.type not in ("inet", "pass"):
        sentence = f"smtpd is run for inet services only: {service.type}:{service.name} is not opened"
        return [_unsupported(service, sentence)]
    if command == "postscreen" and service.type != "inet":
        sentence = f"postscreen is run for inet services only: {service.type}:{service.name} is not opened"
        return [_unsupported(service, sentence)]
    if command == "smtpd" and service.type == "pass" and service not in config.smtp_servers:
        sentence = "only postscreen hands connections to it, and no postscreen does"
        return [Problem(service.where, f"service {service.name}: {sentence}", "", Severity.MEANINGLESS)]
    if command in RUN:
        return []
    return [_unsupported(service, _INSTEAD.get(command, "there is no such program here"))]


def _unsupported(service: Service, sentence: str) -> Problem:
    message = f"service {service.name}/{service.type} ({service.command}): {sentence}"
    return Problem(service.where, message, "", Severity.UNSUPPORTED)
