"""Parameters: each is declared once, in the ``params.py`` of the room whose code obeys it.

From the one declaration come the parser, the bounds, the default, ``postconf``, ``check`` and
the reference.  A room's ``params.py`` imports nothing but ``base``, so that a command can know
every parameter without loading the server:

    params = Group("smtpd")
    SMTPD_TIMEOUT = params.declare("smtpd_timeout", TIME, "300s", "How long ...", low=1)

    settings[SMTPD_TIMEOUT]                                    # typed by its kind
    settings.transport(DESTINATION_CONCURRENCY_LIMIT, "relay")  # a family: TRANSPORT_name
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How one sort of value is read and written.

    ``parse`` raises ValueError with a sentence for the operator.  ``raw`` kinds keep ``$name``
    unexpanded (Postfix's raw parameters such as ``rbl_reply_maps`` texts).
    """

    name: str
    parse: Callable[[str], T]
    show: Callable[[T], str]
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What a default may depend on; found out once, by the program that loads the configuration."""

    hostname: str = "localhost"
    config_directory: str = "/etc/postfix"
    user: str = "root"
    interfaces: tuple[str, ...] = ()
    main: Mapping[str, str] = field(default_factory=dict)  # what main.cf sets, unexpanded


@dataclass(frozen=True, slots=True, eq=False)
class Param(Generic[T]):
    """One parameter.  ``default`` may use ``$other``; a callable is asked once with the Facts."""

    name: str
    kind: Kind[T]
    default: str | Callable[[Facts], str]
    doc: str
    low: T | None = None
    high: T | None = None
    own: bool = False  # not one of Postfix's
    live: bool = True  # False: takes effect on restart only

    def default_text(self, facts: Facts) -> str:
        """Return the default as it would stand in main.cf."""
        return self.default if isinstance(self.default, str) else self.default(facts)

    def read(self, text: str) -> T:
        """Parse and check an expanded value; ValueError says what is wrong in words."""
        value = self.kind.parse(text)
        if self.low is not None and value < self.low:  # type: ignore[operator]
            raise ValueError(f"less than the minimum {self.kind.show(self.low)}")
        if self.high is not None and value > self.high:  # type: ignore[operator]
            raise ValueError(f"more than the maximum {self.kind.show(self.high)}")
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Family(Generic[T]):
    """A parameter that every transport has under its own name: ``TRANSPORT`` + ``suffix``."""

    suffix: str
    kind: Kind[T]
    default: str
    doc: str
    low: T | None = None
    high: T | None = None

    def member(self, transport: str) -> Param[T]:
        """Return the parameter of one transport."""
        return Param(transport + self.suffix, self.kind, self.default, self.doc, self.low, self.high)


class Group:
    """The parameters of one room."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.params: list[Param[Any]] = []
        self.families: list[Family[Any]] = []

    def declare(self, name: str, kind: Kind[T], default: str | Callable[[Facts], str], doc: str, **rest: Any) -> Param[T]:  # fmt: skip  # noqa: E501
        """Declare a parameter; a literal default that its own kind refuses fails here, at import."""
        param = Param(name, kind, default, doc, **rest)
        if isinstance(default, str) and "$" not in default:
            param.read(default)
        self.params.append(param)
        return param

    def declare_family(self, suffix: str, kind: Kind[T], default: str, doc: str, **rest: Any) -> Family[T]:
        """Declare a parameter that each transport has: ``suffix`` begins with an underscore."""
        family = Family(suffix, kind, default, doc, **rest)
        self.families.append(family)
        return family


class Registry:
    """Every declared parameter of the groups it is made from."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self.groups = tuple(groups)
        self._params: dict[str, Param[Any]] = {}
        families = [family for group in self.groups for family in group.families]
        # The longest suffix first: _destination_recipient_limit also ends in _recipient_limit.
        self.families: tuple[Family[Any], ...] = tuple(sorted(families, key=lambda f: -len(f.suffix)))
        for group in self.groups:
            for param in group.params:
                if param.name in self._params:
                    raise ValueError(f"{param.name} is declared twice")
                self._params[param.name] = param

    def __iter__(self) -> Iterator[Param[Any]]:
        return iter(sorted(self._params.values(), key=lambda p: p.name))

    def __getitem__(self, name: str) -> Param[Any]:
        return self._params[name]

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def get(self, name: str) -> Param[Any] | None:
        """Return the parameter of this name, None if none is declared."""
        return self._params.get(name)

    def family_of(self, name: str) -> tuple[Family[Any], str] | None:
        """Return the family and the transport's name that ``name`` is made of, if it is."""
        for family in self.families:
            if name.endswith(family.suffix) and len(name) > len(family.suffix):
                return family, name[: -len(family.suffix)]
        return None


class Settings:
    """Checked values of one service.  Made whole or not at all, never changed afterwards.

    ``values`` has the parsed value of every declared parameter; ``texts`` the expanded text of
    every name that is set or has a default, user-defined names included.
    """

    __slots__ = ("_families", "_values", "texts")

    def __init__(self, values: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._families: dict[str, Any] = {}
        self.texts = texts

    def __getitem__(self, param: Param[T]) -> T:
        return self._values[param.name]  # type: ignore[no-any-return]

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """Return the same settings with other values, by the parameters' names."""
        return Settings({**self._values, **values}, self.texts)

    def transport(self, family: Family[T], transport: str) -> T:
        """Return the value of ``TRANSPORT`` + suffix, or of the family's default."""
        name = transport + family.suffix
        if name in self._values:
            return self._values[name]  # type: ignore[no-any-return]
        if name not in self._families:
            text = self.texts.get(name)
            if text is None:
                default = family.default
                text = self.texts[default[1:]] if default.startswith("$") else default
            self._families[name] = family.member(transport).read(text)
        return self._families[name]  # type: ignore[no-any-return]


def settings_of(groups: Iterable[Group], facts: Facts | None = None, **texts: str) -> Settings:
    """Make Settings from literal texts, for tests and for use as a library.

    Values are expanded as in main.cf; ValueError names the first that cannot be read.
    """
    from postroad.base.expand import Expander  # noqa: PLC0415 - expand knows the text of main.cf, not we

    facts = replace(facts or Facts(), main=texts)
    registry = Registry(groups)
    raw = {param.name: param.default_text(facts) for param in registry} | texts
    expander = Expander(raw.get)
    expanded = {p.name: raw[p.name] if p.kind.raw else expander.value(p.name) for p in registry}
    others = {name: expander.value(name) for name in raw if name not in registry}
    return Settings({p.name: p.read(expanded[p.name]) for p in registry}, expanded | others)
