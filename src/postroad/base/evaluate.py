"""From the texts of main.cf, of ``-o`` overrides and of defaults to checked values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from postroad.base.errors import Problem
from postroad.base.expand import Expander, ExpansionError, names_in
from postroad.base.interfaces import default_networks, parse_interfaces, used_interfaces
from postroad.base.kinds import split_list
from postroad.base.maincf import Setting
from postroad.base.params import Facts, Param, Registry, Settings

NETWORKS = "mynetworks_default"
HOSTNAME, DOMAIN, LOCAL_DOMAIN = "myhostname", "mydomain", "localdomain"
_NETWORKS_NEED = ("mynetworks_style", "inet_interfaces", "inet_protocols")
_SERVICE_FACTS = frozenset({"service_name", "process_name"})
#: Texts for which Postfix demands at least one character.
_NEVER_EMPTY = frozenset(
    {"myhostname", "mydomain", "myorigin", "mail_name", "mail_owner", "mail_version", "queue_directory"}
    | {"data_directory", "config_directory", "syslog_name", "syslog_facility", "default_database_type"}
    | {"local_transport", "virtual_transport", "relay_transport", "default_transport"}
    | {"empty_address_recipient", "double_bounce_sender", "smtpd_banner", "smtp_helo_name"}
)
_WORDS = {"yes or no": "boolean", "number": "numerical", "size": "numerical", "time": "time"}


class Evaluator:
    """Evaluates one configuration for the server as a whole, and for each service with overrides.

    ``others`` gives the default of a parameter that Postfix has and the registry has not; it is
    asked only for names that a value refers to.
    """

    def __init__(self, registry: Registry, facts: Facts, main: Mapping[str, Setting], transports: Iterable[str], others: Callable[[str], str | None] = lambda _name: None) -> None:  # fmt: skip  # noqa: E501
        self._registry = registry
        self._main = main
        self._transports = frozenset(transports)
        self._others = others
        self._facts = facts = replace(facts, main={name: setting.text for name, setting in main.items()})
        self._defaults = {param.name: param.default_text(facts) for param in registry}
        self._raw = self._defaults | {name: setting.text for name, setting in main.items()}
        self._name_host()
        self._values: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._dependents: dict[str, list[str]] | None = None
        self._refused: list[Problem] = []
        self._derived: list[Problem] = []  # of a default, because of a setting that it refers to
        self.settings = self._evaluate_all()

    def _name_host(self) -> None:
        """Settle myhostname and mydomain, each of which the other's default depends on."""
        if HOSTNAME not in self._main and HOSTNAME in self._raw and "." not in self._facts.hostname:
            domain = self._main[DOMAIN].text if DOMAIN in self._main else LOCAL_DOMAIN
            self._raw[HOSTNAME] = f"{self._facts.hostname}.{domain}"
        if DOMAIN not in self._main:
            self._raw.pop(DOMAIN, None)  # it follows myhostname, a service's own included

    @property
    def problems(self) -> list[Problem]:
        """Return what is wrong with values, each setting's problems once."""
        places = {problem.where for problem in self._refused}
        found = list(self._refused)
        for problem in self._derived:
            if problem.where not in places:
                found.append(problem)
                places.add(problem.where)
        return found

    def param_of(self, name: str) -> Param[Any] | None:
        """Return the declared parameter of this name, a transport's own included."""
        param = self._registry.get(name)
        if param is None and (found := self._registry.family_of(name)) and found[1] in self._transports:
            param = found[0].member(found[1])
        return param

    def raw(self, name: str) -> str:
        """Return a name's text before expansion, its default if it is not set."""
        return self._raw.get(name, "")

    def expanded(self, name: str) -> str:
        """Return what ``$name`` stands for.  ExpansionError when it cannot be expanded."""
        return self._expander(self._raw).value(name)

    def override(self, overrides: Mapping[str, Setting], facts_of_service: Mapping[str, str]) -> Settings:
        """Return the settings of one service; only what its overrides touch is worked out again.

        ``facts_of_service`` are ``service_name`` and its like.
        """
        changed = {**{name: setting.text for name, setting in overrides.items()}, **facts_of_service}
        affected = self._affected(changed)
        if not affected:
            return self.settings
        raw = {**self._raw, **changed}
        values, texts = dict(self._values), dict(self._texts)
        self._evaluate(affected, raw, {**self._main, **overrides}, values, texts)
        return Settings(values, texts)

    def _affected(self, changed: Mapping[str, str]) -> list[str]:
        """Return the changed names and every name whose value refers to one of them."""
        if self._dependents is None:
            self._dependents = {need: [NETWORKS] for need in _NETWORKS_NEED}
            if DOMAIN not in self._main:
                self._dependents[HOSTNAME] = [DOMAIN]
            for name, text in self._raw.items():
                for needed in names_in(text):
                    self._dependents.setdefault(needed, []).append(name)
        affected = [name for name in changed if name in self._dependents or name not in _SERVICE_FACTS]
        for name in affected:  # grows while it is gone through
            affected += [each for each in self._dependents.get(name, ()) if each not in affected]
        return affected

    def _evaluate_all(self) -> Settings:
        names = dict.fromkeys([*self._raw, *self._defaults])
        self._evaluate(names, self._raw, self._main, self._values, self._texts)
        return Settings(self._values, self._texts)

    def _evaluate(self, names: Iterable[str], raw: Mapping[str, str], places: Mapping[str, Setting], values: dict[str, Any], texts: dict[str, str]) -> None:  # fmt: skip  # noqa: E501
        expander = self._expander(raw)
        for name in names:
            param = self.param_of(name)
            text = raw.get(name, "")
            try:
                texts[name] = text if param is not None and param.kind.raw else expander.value(name)
                if param is not None:
                    values[name] = _read(param, texts[name])
            except ExpansionError as error:
                texts[name] = text
                if param is not None:
                    self._refuse(param, str(error), "", raw, places)
                    values[name] = self._fallback(param)
            except ValueError as error:
                assert param is not None
                self._refuse(param, _wording(param, texts[name]), str(error), raw, places)
                values[name] = self._fallback(param)

    def _expander(self, raw: Mapping[str, str]) -> Expander:
        def text_of(name: str) -> str | None:
            text = raw.get(name)
            if text is not None:
                return text
            if name == NETWORKS:
                return self._networks(expander)
            if name == DOMAIN:
                return expander.value(HOSTNAME).partition(".")[2] or LOCAL_DOMAIN
            family = self._registry.family_of(name)
            return family[0].default if family and family[1] in self._transports else self._others(name)

        expander = Expander(text_of)
        return expander

    def _networks(self, expander: Expander) -> str:
        """Return what mynetworks_style makes of the machine's addresses."""
        style, names, protocols = (expander.value(name) for name in _NETWORKS_NEED)
        used = used_interfaces(
            parse_interfaces(self._facts.interfaces),
            split_list(names or "all"),
            split_list(protocols or "all"),
        )
        return default_networks(used, style)

    def _refuse(self, param: Param[Any], message: str, hint: str, raw: Mapping[str, str], places: Mapping[str, Setting]) -> None:  # fmt: skip  # noqa: E501
        """Note a problem at the setting that caused it: the parameter's, or one that its default uses."""
        problem = Problem(_origin(param.name, raw, places), message, hint)
        problems = self._refused if param.name in places else self._derived
        if problem not in problems:
            problems.append(problem)

    def _fallback(self, param: Param[Any]) -> Any:
        """Return the default's value, so that checks can go on behind an error."""
        pure = Expander(self._defaults.get)
        return param.read(pure.expand(param.default_text(self._facts)))


def _read(param: Param[Any], text: str) -> Any:
    if not text and param.name in _NEVER_EMPTY:
        raise ValueError("it may not be empty")
    return param.read(text)


def _origin(name: str, raw: Mapping[str, str], places: Mapping[str, Setting]) -> str:
    """Return the place of the first setting among ``name`` and what it refers to."""
    seen = [name]
    for each in seen:
        if each in places:
            return places[each].where
        seen += [other for other in sorted(names_in(raw.get(each, ""))) if other not in seen]
    return ""


def _wording(param: Param[Any], text: str) -> str:
    """Say in Postfix's words what is wrong with a value: its form, or its size."""
    if not text and param.name in _NEVER_EMPTY:
        return f"bad string length 0 < 1: {param.name} ="
    try:
        value = param.kind.parse(text)
    except ValueError:
        word = _WORDS.get(param.kind.name)
        sort = f"bad {word} configuration" if word else "bad value"
        return f"{sort}: {param.name} = {text}"
    low = param.low is not None and value < param.low
    bound, sign = (param.low, "<") if low else (param.high, ">")
    return f"invalid {param.name} parameter value {param.kind.show(value)} {sign} {param.kind.show(bound)}"
