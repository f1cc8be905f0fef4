"""``postroad user``: the users that can log in."""

from __future__ import annotations

import sys
from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroad.admin.accounts import AccountFile

_USAGE = """usage: postroad user COMMAND [NAME] [-c DIR] [OPTIONS]

Changes the users file that smtpd_sasl_path names (smtpd_sasl_type = postroad).  The running server
follows it; no reload is needed.
  add NAME      add a user; the password is asked for twice
  passwd NAME   give a user another password, and unlock the account
  list          print the users (--json: one JSON object a line)
  lock NAME     shut an account and keep its password
  unlock NAME   open it again
  remove NAME   remove a user
  --file FILE       this users file, or hash:FILE, in place of the one in main.cf
  --scheme SCHEME   how the password is stored: ARGON2ID (default), SHA512-CRYPT, BLF-CRYPT,
                    SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN
  --password-stdin  read the password from the first line of standard input
The exit status is 0, 1 if it could not be done, 2 for a wrong call.
"""
_COMMANDS = ("add", "passwd", "list", "lock", "unlock", "remove")


def run(directory: str | None, args: list[str]) -> int:
    """Run the command."""
    from postroad.base.errors import PostroadError

    try:
        options, words = gnu_getopt(args, "h", ["help", "file=", "scheme=", "password-stdin", "json"])
    except GetoptError as error:
        print(f"postroad user: {error}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    chosen = dict(options)
    if "-h" in chosen or "--help" in chosen:
        print(_USAGE, end="")
        return 0
    wanted = 1 if words[:1] == ["list"] else 2
    if not words or words[0] not in _COMMANDS or len(words) != wanted:
        print(_USAGE, end="", file=sys.stderr)
        return 2
    try:
        return _perform(words[0], words[-1], chosen, directory or "/etc/postfix")
    except PostroadError as error:
        print(f"postroad user: {error}", file=sys.stderr)
        return 1


def _perform(command: str, name: str, chosen: dict[str, str], directory: str) -> int:
    file = _file(chosen.get("--file"), directory)
    if command == "list":
        return _list(file, json="--json" in chosen)
    if command in ("lock", "unlock", "remove"):
        getattr(file, command)(name)
        return 0
    from postroad.auth.schemes import MAKE

    scheme = chosen.get("--scheme", next(iter(MAKE))).upper()
    if scheme not in MAKE:
        print(f"postroad user: --scheme {scheme}: expected one of {', '.join(MAKE)}", file=sys.stderr)
        return 2
    password = _password(name, stdin="--password-stdin" in chosen)
    (file.add if command == "add" else file.set_password)(name, password, scheme)
    return 0


def _file(named: str | None, directory: str) -> AccountFile:
    """Return the file to change: ``--file``, else the only one that the configuration names."""
    from postroad.admin.accounts import AccountError, AccountFile, owner_of, users_files
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load

    config = load(directory, registry(), find_facts(directory))
    if named is not None:
        from pathlib import Path

        spec = named if ":" in named.partition("/")[0] else str(Path(named).absolute())
        return AccountFile(spec, "", owner_of(config))
    files = users_files(config)
    if len(files) != 1:
        what = "several: " + ", ".join(files) if files else "none (smtpd_sasl_type = postroad is not set)"
        raise AccountError(f"which users file? {directory} names {what}; say --file FILE")
    return AccountFile(files[0], directory, owner_of(config))


def _list(file: AccountFile, *, json: bool) -> int:
    accounts = file.accounts()
    if json:
        from json import dumps

        for each in accounts:
            print(dumps({"name": each.name, "scheme": each.scheme, "locked": each.locked}))
        return 0
    width = max((len(each.name) for each in accounts), default=0)
    for each in accounts:
        name = "".join(char if char.isprintable() else "?" for char in each.name)
        print(f"{name:{width}}  {each.scheme}{'  locked' if each.locked else ''}")
    return 0


def _password(name: str, *, stdin: bool) -> str:
    from getpass import getpass

    from postroad.admin.accounts import AccountError

    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise AccountError("no terminal to ask for the password: use --password-stdin")
    password = getpass(f"Password of {name}: ")
    if getpass("Again: ") != password:
        raise AccountError("the two are not the same")
    return password
