"""Changing the users file that ``smtpd_sasl_path`` names: comments and other fields stay as they are."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from postroad.admin.editconf import rewrite
from postroad.auth.params import AUTH_ENABLE, SASL_PATH, SASL_TYPE
from postroad.auth.schemes import LOCKED, make, read
from postroad.base.config import Config
from postroad.base.errors import PostroadError
from postroad.base.params import Settings
from postroad.model.params import MAIL_OWNER
from postroad.proto.sasl.common import saslprep
from postroad.proto.sasl.server import BrokenResponse, name_of, password_of
from postroad.tables.registry import TEXT_TYPES

_MODE: Final = 0o640
_LINE: Final = {":": re.compile(r"([^:]*):([^:]*)(.*)", re.DOTALL), "\t": re.compile(r"(\S+)\s+(\S+)(.*)", re.DOTALL)}  # fmt: skip  # noqa: E501


class AccountError(PostroadError):
    """A change that cannot be made, in words."""


@dataclass(frozen=True, slots=True)
class Account:
    """One user: the scheme of the password, and whether the account is shut."""

    name: str
    scheme: str
    locked: bool


def users_files(config: Config) -> list[str]:
    """Return what smtpd_sasl_path names, in main.cf and in services that offer AUTH of our own type."""
    every: list[Settings] = [config.settings]
    services = config.smtp_servers
    every += [config.settings_for(each) for each in services]
    own = [each for each in every if each[SASL_TYPE].lower() == "postroad"]
    enabled = [each for each in own if each[AUTH_ENABLE]] or own
    return list(dict.fromkeys(each[SASL_PATH] for each in enabled))


class AccountFile:
    """A users file ``/path``, or the source ``type:/path`` of a table.  AccountError for another sort."""

    def __init__(self, spec: str, directory: str = "", owner: str = "") -> None:
        kind, colon, path = spec.partition(":")
        if colon and kind in TEXT_TYPES:
            self._mark = "\t"
        elif spec.startswith("/"):
            self._mark, path = ":", spec
        else:
            raise AccountError(f"{spec}: users can be changed in a file only (/path, or a hash: table)")
        self.path = Path(directory, path)
        self._owner = owner

    def accounts(self) -> list[Account]:
        """Return the users in the file's order.  AccountError when it cannot be read."""
        try:
            text = self.path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise AccountError(f"open {self.path}: {error.strerror}") from error
        return [_account(name, hashed) for _line, name, hashed, _rest in self._records(text)]

    def add(self, name: str, password: str, scheme: str) -> None:
        """Add a user.  AccountError when there is one of this name."""
        name, line = _checked_name(name, self._mark), _hashed(password, scheme, self._mark)

        def change(text: str) -> str:
            if self._find(text, name) is not None:
                raise AccountError(f"{name}: there is such a user already")
            if text and not text.endswith("\n"):
                text += "\n"
            return f"{text}{name}{self._mark}{line}\n"

        self._create()
        rewrite(self.path, change)

    def set_password(self, name: str, password: str, scheme: str) -> None:
        """Give a user another password; one that was locked is open again."""
        hashed = _hashed(password, scheme, self._mark)
        self._change(name, lambda _old: hashed)

    def lock(self, name: str) -> None:
        """Shut an account and keep its password."""
        self._change(name, lambda old: old if old.startswith(LOCKED) else LOCKED + old)

    def unlock(self, name: str) -> None:
        """Open an account that ``lock`` has shut."""
        self._change(name, lambda old: old.removeprefix(LOCKED))

    def remove(self, name: str) -> None:
        """Remove a user."""
        self._change(name, None)

    def _change(self, name: str, change: Callable[[str], str] | None) -> None:
        name = _checked_name(name, self._mark)

        def edit(text: str) -> str:
            found = self._find(text, name)
            if found is None:
                raise AccountError(f"{name}: there is no such user")
            at, (_line, written, hashed, rest) = found
            lines = text.split("\n")
            if change is None:
                del lines[at]
            else:
                lines[at] = f"{written}{self._mark}{change(hashed)}{rest}"
            return "\n".join(lines)

        rewrite(self.path, edit)

    def _find(self, text: str, name: str) -> tuple[int, tuple[int, str, str, str]] | None:
        for record in self._records(text):
            if record[1].lower() == name:
                return record[0], record
        return None

    def _records(self, text: str) -> Iterator[tuple[int, str, str, str]]:
        """Yield (line number from 0, name, stored password, what follows)."""
        for number, line in enumerate(text.split("\n")):
            match = None if not line or line[0] in "#: \t" else _LINE[self._mark].fullmatch(line)
            if match is not None:
                yield number, match[1], match[2], match[3]

    def _create(self) -> None:
        """Make an empty file that the server's workers can read, if there is none."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            return
        except OSError as error:
            raise AccountError(f"create {self.path}: {error.strerror}") from error
        try:
            os.fchmod(descriptor, _MODE)
            with suppress(KeyError, PermissionError):
                os.fchown(descriptor, -1, _group_of(self._owner))
        finally:
            os.close(descriptor)


def _group_of(owner: str) -> int:
    user = pwd.getpwnam(owner)
    return grp.getgrgid(user.pw_gid).gr_gid


def _account(name: str, hashed: str) -> Account:
    inner = hashed.removeprefix(LOCKED)
    try:
        stored = read(inner)
    except ValueError:
        return Account(name, "unknown", locked=True)
    shown = inner[1:].partition("}")[0] if inner.startswith("{") else stored.scheme
    return Account(name, shown, hashed != inner or stored.locked)


def _checked_name(name: str, mark: str) -> str:
    try:
        checked = name_of(name.encode("utf-8", "surrogateescape"))
    except BrokenResponse as error:
        raise AccountError(f"{name!r}: {error}") from None
    if mark in checked or checked.startswith("#") or any(char.isspace() for char in checked):
        raise AccountError(f"{name!r}: no user can have this name in such a file")
    return checked


def _hashed(password: str, scheme: str, mark: str) -> str:
    try:
        hashed = make(scheme, password_of(saslprep(password).encode()).encode())
    except BrokenResponse as error:
        raise AccountError(str(error)) from None
    except (ValueError, OSError) as error:
        raise AccountError(f"the password cannot be used: {error}") from None
    if mark in hashed or any(char.isspace() for char in hashed):
        raise AccountError(
            f"a password of the scheme {scheme} with such a character cannot stand in the file"
        )
    return hashed


def owner_of(config: Config) -> str:
    """Return the user whose group reads the file."""
    return config.settings[MAIL_OWNER]
