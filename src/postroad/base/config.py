"""The configuration as a whole: main.cf and master.cf read, expanded, checked against the registry."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from postroad.base import known, maincf, mastercf
from postroad.base.errors import ConfigurationError, Problem, Severity
from postroad.base.evaluate import Evaluator
from postroad.base.expand import names_in
from postroad.base.interfaces import own_interfaces
from postroad.base.kinds import split_list
from postroad.base.maincf import Setting
from postroad.base.mastercf import Service
from postroad.base.params import Facts, Registry, Settings

__all__ = ["Config", "Facts", "Service", "Setting", "find_facts", "load", "load_texts"]

#: Names that a value may use and nobody may set.
BUILT_IN = frozenset({"process_name", "process_id", "service_name", "mynetworks_default"})
_OLD_TABLE = re.compile(r"\b(?:ldap|mysql|pgsql|sqlite|memcache):([A-Za-z0-9_]+)")
_CLASSES = "smtpd_restriction_classes"


@dataclass(slots=True)
class Config:
    """A configuration that was read.

    ``main`` has each name that main.cf sets as ``(text, where)``, unexpanded.  With a problem of
    Severity.ERROR the broken values are their defaults: good enough to look for more problems,
    not to serve.
    """

    directory: str
    settings: Settings
    services: tuple[Service, ...]
    problems: list[Problem]
    main: dict[str, Setting]
    registry: Registry
    facts: Facts
    texts: tuple[str, str] = ("", "")  # of main.cf and master.cf
    _of_service: dict[str, Settings] = field(default_factory=dict)

    def settings_for(self, service: Service | str) -> Settings:
        """Return the settings of a service (or ``name/type``), its ``-o`` overrides included."""
        key = service if isinstance(service, str) else service.key
        return self._of_service.get(key, self.settings)

    def service(self, name: str, type_: str = "unix") -> Service | None:
        """Return the service of this name and type."""
        return next((each for each in self.services if each.name == name and each.type == type_), None)

    @property
    def smtp_servers(self) -> list[Service]:
        """Return the smtpd services that clients come to: by a port of their own, or through postscreen."""
        passed = {
            self.settings_for(each).texts.get("smtpd_service_name")
            for each in self.services
            if each.command == "postscreen" and each.type == "inet"
        }
        return [
            each
            for each in self.services
            if each.command == "smtpd"
            and (each.type == "inet" or (each.type == "pass" and each.name in passed))
        ]

    def where(self, name: str, service: Service | None = None) -> str:
        """Return where a parameter is set, as ``file:line``; empty when it is at its default."""
        if service is not None and name in service.places:
            return service.places[name]
        return self.main[name].where if name in self.main else ""

    @property
    def errors(self) -> list[Problem]:
        """Return the problems that keep the server from starting."""
        return [each for each in self.problems if each.severity is Severity.ERROR]

    def require(self) -> Config:
        """Return this configuration; ConfigurationError with every error if there is one."""
        if self.errors:
            raise ConfigurationError(self.errors)
        return self


def find_facts(config_directory: str) -> Facts:
    """Find out what defaults depend on: the host's name and its addresses (as ``address/prefix``)."""
    return Facts(
        hostname=socket.gethostname(), config_directory=config_directory, interfaces=own_interfaces()
    )


def load(directory: str, registry: Registry, facts: Facts) -> Config:
    """Read a directory's main.cf and master.cf.  Problems are in the result, never raised."""
    problems: list[Problem] = []
    main = _read(directory, "main.cf", problems)
    master = _read(directory, "master.cf", problems)
    config = load_texts(main or "", master, directory, registry, facts)
    config.problems[:0] = problems
    return config


def _read(directory: str, name: str, problems: list[Problem]) -> str | None:
    """Return a file's text, None when there is no such file; what is wrong goes to ``problems``."""
    path = Path(directory, name)
    try:
        return maincf.decode(path.read_bytes())
    except FileNotFoundError:
        if name == "main.cf":
            hint = "name the configuration's directory with -c or in $MAIL_CONFIG"
            problems.append(Problem(name, f"open {path}: No such file or directory", hint))
    except OSError as error:
        problems.append(Problem(name, f"open {path}: {error.strerror}", "who may read it?"))
    return None


def load_texts(main_text: str, master_text: str | None, directory: str, registry: Registry, facts: Facts) -> Config:  # fmt: skip  # noqa: E501
    """Make the configuration of two texts; ``master_text`` None stands for Postfix's default services."""
    main, problems = maincf.parse(main_text)
    text = mastercf.DEFAULT if master_text is None else master_text
    services, more = mastercf.parse(text)
    problems += more
    for name in sorted(BUILT_IN & main.keys()):
        message = f"read-only parameter assignment: {name}={main[name].text}"
        problems.append(Problem(main.pop(name).where, message, "it is not used", Severity.WARNING))
    _follow_myorigin(main, problems)
    transports = {service.name for service in services}
    evaluator = Evaluator(registry, facts, main, transports, known.default_of)
    of_service = {service.key: _settings_of(service, evaluator) for service in services}
    problems += evaluator.problems
    problems += unused(registry, main, services)
    problems.sort(key=_place)
    texts = (main_text, text)
    return Config(
        directory, evaluator.settings, tuple(services), problems, main, registry, facts, texts, of_service
    )


def _place(problem: Problem) -> tuple[str, int]:
    file, _, number = problem.where.rpartition(":")
    return file, int(number) if number.isdigit() else 0


def _settings_of(service: Service, evaluator: Evaluator) -> Settings:
    overrides = {name: Setting(text, service.places[name]) for name, text in service.overrides.items()}
    names = {"service_name": service.name, "process_name": service.command.rpartition("/")[2]}
    return evaluator.override(overrides, names)


def _follow_myorigin(main: dict[str, Setting], problems: list[Problem]) -> None:
    """Replace ``myorigin = /file`` by the file's first line, as Debian's Postfix does."""
    setting = main.get("myorigin")
    if setting is None or not setting.text.startswith("/"):
        return
    try:
        with Path(setting.text).open(encoding="utf-8", errors="surrogateescape") as file:
            main["myorigin"] = Setting(file.readline().strip(), setting.where)
    except OSError as error:
        message = f"myorigin: open {setting.text}: {error.strerror}"
        hint = "the file's first line is the domain; $myhostname is used instead"
        problems.append(Problem(setting.where, message, hint, Severity.WARNING))
        main.pop("myorigin")


def unused(registry: Registry, main: Mapping[str, Setting], services: Iterable[Service]) -> list[Problem]:
    """Return a warning for each name that is set, that nobody knows, and that no value uses."""
    services = list(services)
    used = _used_names(registry, main, services)
    prefixes = tuple(f"{found}_" for found in _old_tables(main, services))
    transports = {service.name for service in services}
    places = list(main.items())
    for service in services:
        places += [(name, Setting(text, service.places[name])) for name, text in service.overrides.items()]
    problems: list[Problem] = []
    for name, setting in places:
        if name in registry or name in used or known.is_known(name, transports):
            continue
        if (found := registry.family_of(name)) and found[1] in transports:
            continue
        if prefixes and name.startswith(prefixes):
            continue
        hint = _unused_hint(registry, name)
        problems.append(
            Problem(setting.where, f"unused parameter: {name}={setting.text}", hint, Severity.WARNING)
        )
    return problems


def _unused_hint(registry: Registry, name: str) -> str:
    if transport := known.transport_of(name):
        return f"no service in master.cf is called {transport}"
    near = known.nearest(name, (param.name for param in registry))
    return f"did you mean '{near}'?" if near else ""


def _all_texts(main: Mapping[str, Setting], services: Iterable[Service]) -> Iterable[str]:
    yield from (setting.text for setting in main.values())
    for service in services:
        yield from service.overrides.values()


def _used_names(registry: Registry, main: Mapping[str, Setting], services: list[Service]) -> set[str]:
    used: set[str] = set()
    for text in _all_texts(main, services):
        used |= names_in(text)
    for param in registry:
        if isinstance(param.default, str):
            used |= names_in(param.default)
    classes = [main[_CLASSES].text] if _CLASSES in main else []
    classes += [service.overrides[_CLASSES] for service in services if _CLASSES in service.overrides]
    for text in classes:
        used |= set(split_list(text.replace("{", " ").replace("}", " ")))
    return used


def _old_tables(main: Mapping[str, Setting], services: Iterable[Service]) -> set[str]:
    """Return the names of tables whose parameters stand in main.cf (``ldap:accounts``: accounts_...)."""
    return {found[1] for text in _all_texts(main, services) for found in _OLD_TABLE.finditer(text)}
