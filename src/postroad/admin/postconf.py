"""The configuration as postconf(1) shows it: parameters, services, their fields and overrides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from postroad.base import known, maincf
from postroad.base.config import BUILT_IN, Config
from postroad.base.evaluate import DOMAIN, HOSTNAME, NETWORKS, Evaluator
from postroad.base.expand import Expander, names_in
from postroad.base.mastercf import FIELDS, Service

LINE_LIMIT: Final = 80
INDENT: Final = "    "
#: Where the fields of a service begin, if the ones before leave room.
_COLUMNS: Final = (0, 11, 17, 25, 33, 41, 49, 57)
_DELIVERY: Final = frozenset({"smtp", "lmtp", "local", "virtual", "pipe", "error"})
_TIMED: Final = frozenset({"pipe", "spawn"})
_OWN_NAMES: Final = {"process_name": "postconf", "process_id": str(os.getpid())}
CLASSES: Final = ("builtin", "service", "user")


class UnknownNameError(LookupError):
    """Postfix has no parameter of this name, and no value uses one."""


class View:
    """A configuration's parameters by name.

    ``defaults`` looks past main.cf; ``overrides`` are put over it (postconf -o).
    """

    def __init__(self, config: Config, overrides: Mapping[str, str] | None = None, *, defaults: bool = False) -> None:  # fmt: skip  # noqa: E501
        self.config = config
        parsed, _problems = maincf.parse(config.texts[0])
        self.set: dict[str, str] = {name: setting.text for name, setting in parsed.items()}
        self.set["config_directory"] = config.directory
        self.set |= overrides or {}
        for name in BUILT_IN:
            self.set.pop(name, None)
        self._defaults = defaults
        self._builtin = {param.name for param in config.registry}
        self._builtin |= {each.name for each in known.parameters().values() if "old" not in each.flags}
        self._service = dict(_family_names(config))
        evaluator = Evaluator(config.registry, config.facts, {} if defaults else config.main, ())
        self._computed = {HOSTNAME: evaluator.raw(HOSTNAME), DOMAIN: evaluator.expanded(DOMAIN)}
        self._computed["mynetworks"] = evaluator.expanded(NETWORKS)
        self._user = self._used() & self.set.keys() - self._builtin - self._service.keys()
        self._expander = Expander(self._raw)

    def _used(self) -> set[str]:
        used: set[str] = set()
        for text in [*self.set.values(), *_override_texts(self.config), *map(self.default, self._builtin)]:
            used |= names_in(text)
        classes = self.set.get("smtpd_restriction_classes", "")
        return used | set(classes.replace(",", " ").split())

    def names(self, classes: Iterable[str] = CLASSES) -> list[str]:
        """Return every name of these classes, sorted."""
        wanted = set(classes)
        names: set[str] = set()
        if "builtin" in wanted:
            names |= self._builtin - self._service.keys()
        if "service" in wanted:
            names |= self._service.keys()
        if "user" in wanted:
            names |= self._user
        return sorted(names)

    def default(self, name: str) -> str:
        """Return the default of a name that has one, else the empty text."""
        if name in self._computed:
            return self._computed[name]
        param = self.config.registry.get(name)
        return known.default_of(name) or "" if param is None else param.default_text(self.config.facts)

    def text(self, name: str) -> str:
        """Return the value of a parameter as it is written; UnknownNameError when there is none."""
        if name not in self._builtin and name not in self._service and name not in self._user:
            raise UnknownNameError(name)
        return self._raw(name) or ""

    def _raw(self, name: str) -> str | None:
        if name in _OWN_NAMES:
            return _OWN_NAMES[name]
        if not self._defaults and name in self.set:
            return self.set[name]
        if name in self._service and name not in self._builtin:
            return self._service[name]
        return self.default(name)

    def is_raw(self, name: str) -> bool:
        """Return whether ``$name`` in this parameter's value stays as it is."""
        param = self.config.registry.get(name)
        if param is not None:
            return param.kind.raw
        found = known.parameters().get(name)
        return found is not None and "raw" in found.flags

    def expanded(self, name: str) -> str:
        """Return the value of a parameter with every ``$name`` replaced.  ExpansionError if it cannot be."""
        text = self.text(name)
        return text if self.is_raw(name) else self._expander.value(name)

    def expanded_for(self, service: Service, text: str) -> str:
        """Return an override's text as the service sees it."""
        local = service.overrides | {"service_name": service.name, "process_name": service.command}

        def raw(name: str) -> str | None:
            return local[name] if name in local else self._raw(name)

        return Expander(raw).expand(text)

    def undefined(self) -> list[str]:
        """Return ``file: undefined parameter: name`` for each name that a value uses and nobody defines."""
        found: list[str] = []
        places = [("main.cf", name, text) for name, text in self.set.items()]
        for service in self.config.services:
            places += [("master.cf", name, text) for name, text in service.overrides.items()]
        local = {name for service in self.config.services for name in service.overrides}
        defined = self.set.keys() | self._builtin | self._service.keys() | local | BUILT_IN
        for file, name, text in places:
            if self.is_raw(name):
                continue
            missing = sorted(names_in(text) - defined)
            found += [f"{self.config.directory}/{file}: undefined parameter: {each}" for each in missing]
        return list(dict.fromkeys(found))


def _override_texts(config: Config) -> Iterator[str]:
    for service in config.services:
        yield from service.overrides.values()


def _family_names(config: Config) -> Iterator[tuple[str, str]]:
    """Yield (name, default) of the parameters that services have under their own names."""
    suffixes = {suffix: (each.default, each.flags) for suffix, each in known.families().items()}
    suffixes |= {each.suffix: (each.default, frozenset({"delivery"})) for each in config.registry.families}
    for service in config.services:
        command = service.command.rpartition("/")[2]
        for suffix, (default, flags) in suffixes.items():
            if ("delivery" in flags and command in _DELIVERY) or ("command" in flags and command in _TIMED):
                yield service.name + suffix, default


def fold(text: str, *, folded: bool) -> str:
    """Return a line with its blanks made single; ``folded`` breaks it at 80 characters."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if not line:
            line = word
        elif folded and len(line) + len(word) >= LINE_LIMIT:
            lines.append(line)
            line = INDENT + word
        else:
            line += f" {word}"
    return "\n".join([*lines, line])


def service_line(service: Service, *, folded: bool = False, words: Iterable[str] | None = None) -> str:
    """Return a service as ``postconf -M`` shows it: fields in columns, then the arguments."""
    line = ""
    for column, field in zip(_COLUMNS, service.fields, strict=True):
        if line:
            line = f"{line} ".ljust(column)
        line += field
    lines = [line]
    for group in _groups(list(service.words if words is None else words)):
        # An option with its value has a line of its own.
        alone = group.startswith("-o ")
        broken = (
            alone or lines[-1].startswith(f"{INDENT}-o ") or len(lines[-1]) + 1 + len(group) >= LINE_LIMIT
        )
        if folded and broken:
            lines.append(INDENT + group)
        else:
            lines[-1] += f" {group}"
    return "\n".join(lines)


def _groups(words: list[str]) -> Iterator[str]:
    """Yield the arguments, ``-o`` with what belongs to it, braces around what has blanks in it."""
    options = True
    rest = iter(words)
    for word in rest:
        if options and word.startswith("-") and word != "--":
            value = word[2:] if word.startswith("-o") and len(word) > 2 else ""
            if word == "-o":
                value = next(rest, "")
            yield f"-o {_braced(value)}" if word.startswith("-o") and value else word
            continue
        options = False
        yield _braced(word)


def _braced(word: str) -> str:
    return f"{{{word}}}" if not word or any(blank in word for blank in maincf.BLANKS) else word


def matches(pattern: str, service: Service) -> bool:
    """Return whether ``name[/type]`` means this service; ``*`` means any."""
    name, _, type_ = pattern.rpartition("/") if _ends_in_type(pattern) else (pattern, "", "*")
    return name in ("*", service.name) and type_ in ("*", service.type)


def _ends_in_type(pattern: str) -> bool:
    return pattern.rpartition("/")[2] in ("inet", "unix", "fifo", "pass", "unix-dgram", "*") and "/" in pattern  # fmt: skip  # noqa: E501


def fields_of(service: Service, view: View | None = None) -> dict[str, str]:
    """Return the fields by name, as ``postconf -F`` does; ``view`` expands the overrides."""
    values = dict(zip(FIELDS, service.fields, strict=True))
    words = service.words if view is None else expanded_words(service, view)
    values["command"] = " ".join([service.command, *_groups(list(words))])
    return values


def expanded_words(service: Service, view: View) -> list[str]:
    """Return the arguments with the values of ``-o`` expanded."""
    words: list[str] = []
    options = True
    rest = iter(service.words)
    for word in rest:
        options = options and word.startswith("-") and word != "--"
        if options and word.startswith("-o"):
            value = word[2:] or next(rest, "")
            words += ["-o", view.expanded_for(service, value)]
        else:
            words.append(word)
    return words
