"""Users in a file or in look-up tables."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from postroad.auth.accounts import AuthUnavailable
from postroad.auth.schemes import Stored, make, read
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.source import Source

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class User:
    """One line of a users file.  ``networks`` are where the user may come from; () is everywhere."""

    stored: Stored | None  # None: nobody can log in, because the line cannot be used
    networks: tuple[_Network, ...] = ()

    def may_come_from(self, address: str) -> bool:
        """Return whether a client of this address may be the user."""
        if not self.networks:
            return True
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(client in network for network in self.networks)


def read_users(text: str, warn: Callable[[str], None]) -> Mapping[str, User]:
    """Read a file in the form of Dovecot's passwd-file: ``user:{SCHEME}hash:uid:gid:gecos:home:shell:extra``.

    Of the fields behind the password only ``allow_nets`` and ``nologin`` of the last are obeyed.  A
    line that cannot be used shuts its user out, and is told to ``warn``.  The first of two counts.
    """
    users: dict[str, User] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")  # noqa: PLW2901
        if not line or line[0] in "#:" or line.isspace():
            continue
        name, _, rest = line.partition(":")
        try:
            user = _user(rest)
        except ValueError as error:
            warn(f"line {number}: {name}: {error}")
            user = User(None)
        users.setdefault(name.lower(), user)
    return users


def _user(rest: str) -> User:
    # A password of a crypt scheme has no colon; {PLAIN} must not have one in this form either.
    password, *fields = rest.split(":", 6)
    extra = fields[5].split() if len(fields) == 6 else []
    networks: tuple[_Network, ...] = ()
    for word in extra:
        key, _, value = word.partition("=")
        if key == "nologin":
            return User(Stored("LOCKED", "", ""))
        if key == "allow_nets":
            networks = tuple(ipaddress.ip_network(each, strict=False) for each in value.split(",") if each)
            if not networks:
                raise ValueError("allow_nets without a network")
    return User(read(password), networks)


def usual(stored: Iterable[Stored]) -> Stored | None:
    """Return one of the stored passwords of the scheme that most have."""
    by_scheme: dict[str, Stored] = {}
    counts: Counter[str] = Counter()
    for each in stored:
        # Of CRYPT the method counts: $6$, $2y$, $y$ cost differently.
        key = each.scheme + each.text[:3] if each.scheme == "CRYPT" else each.scheme
        if not each.locked:
            by_scheme.setdefault(key, each)
            counts[key] += 1
    return by_scheme[counts.most_common(1)[0][0]] if counts else None


@dataclass(frozen=True, slots=True)
class _Read:
    users: Mapping[str, User]
    sample: Stored | None


class UsersFile:
    """A users file; it is followed when it changes."""

    def __init__(self, path: str, context: TableContext) -> None:
        self.name = path
        self._warn = context.warn
        self._source = Source(path, self._parse, context)

    def _parse(self, text: str) -> _Read:
        users = read_users(text, lambda problem: self._warn(f"{self.name}: {problem}"))
        return _Read(users, usual(user.stored for user in users.values() if user.stored is not None))

    async def find(self, username: str, address: str) -> Stored | None:
        """Look a user up; TableUnavailable when the file cannot be read."""
        user = self._source.get().users.get(username)
        if user is None or not user.may_come_from(address):
            return None
        if user.stored is None:
            raise AuthUnavailable(f"{self.name}: the line of {username} cannot be used")
        return user.stored

    def sample(self) -> Stored | None:
        """Return a stored password of the scheme that most users have."""
        return self._source.get().sample

    def load(self) -> None:
        """Read the file.  TableUnavailable when it cannot be read."""
        self._source.get()


class UsersTable:
    """Tables whose key is the user's name, and whose value is the stored password."""

    def __init__(self, specs: Iterable[str], context: TableContext) -> None:
        self._maps = Maps(specs, context)
        self.name = ", ".join(self._maps.specs)
        self._sample: Stored | None = None

    async def find(self, username: str, address: str) -> Stored | None:  # noqa: ARG002 - tables have no networks
        """Look a user up; TableUnavailable when it could not look."""
        value = await self._maps.find(username)
        if value is None:
            return None
        try:
            stored = read(value)
        except ValueError as error:
            raise AuthUnavailable(f"{self.name}: {username}: {error}") from None
        if not stored.locked:
            self._sample = stored
        return stored

    def sample(self) -> Stored | None:
        """Return what was found last; before anything was, something that costs as much as the default."""
        if self._sample is None:
            self._sample = read(make("SHA512-CRYPT", b"nobody"))
        return self._sample

    def load(self) -> None:
        """Read the files.  TableUnavailable for one that cannot be read."""
        self._maps.load()
