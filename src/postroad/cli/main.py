"""The ``postroad`` command, and Postfix's commands when it is called by one of their names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple


class Command(NamedTuple):
    """One command: ``module`` of this package (and its function), arguments put in front, its help.

    ``postfix`` names are those of Postfix's own commands, which have their own use of ``-c``.
    """

    module: str
    help: str
    prefix: tuple[str, ...] = ()
    postfix: bool = False


def _postfix(module: str, text: str, *prefix: str) -> Command:
    return Command(module, text, prefix, postfix=True)


COMMANDS = {
    "check": Command("check", "say what is wrong with the configuration, and what of it is not obeyed"),
    "start": Command("server", "start the server (--foreground to stay)", ("start",)),
    "stop": Command("server", "stop it", ("stop",)),
    "reload": Command("server", "read the configuration again", ("reload",)),
    "status": Command("server", "say whether it runs", ("status",)),
    "abort": Command("server", "end it at once", ("abort",)),
    "demo": Command("demo", "show the whole journey of a message, on this machine alone"),
    "send": Command("send", "compose a message and submit it"),
    "explain": Command("explain", "say what a client would be answered, and why, rule by rule"),
    "trace": Command("trace", "say what happened to a message, an address or a client, and why"),
    "manual": Command("manual", "print what the parameters of main.cf mean"),
    "user": Command("user", "add, change, lock and list the users that can log in"),
    "tls": Command("tls", "look at other servers' TLS; make keys, certificates, TLSA records"),
    "link": Command("link", "make links by which Postfix's commands are called"),
    "postconf": _postfix("postconf", "show and change the configuration"),
    "postqueue": _postfix("postqueue", "show and flush the queue"),
    "mailq": _postfix("postqueue", "show the queue", "-p"),
    "postsuper": _postfix("postsuper", "hold, release, requeue, delete messages"),
    "postcat": _postfix("postcat", "show a queued message"),
    "postmap": _postfix("postmap", "check and query look-up tables"),
    "postalias": _postfix("postalias", "check and query alias tables"),
    "newaliases": _postfix("postalias:run_newaliases", "check the alias tables"),
    "sendmail": _postfix("sendmail", "hand in a message"),
    "postfix": _postfix("postfix", "start, stop, reload, status ... as Postfix's command does"),
}
#: The names that ``postroad link`` makes.
POSTFIX_NAMES = tuple(name for name, command in COMMANDS.items() if command.postfix)
_DIRECTORIES = ("/etc/postroad", "/etc/postfix")


class UsageError(Exception):
    """The command line cannot be understood."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; ``argv`` is the program's name and its arguments (default: ``sys.argv``).

    Returns the exit status: 0 done, 1 failed, 2 wrong usage, others as the command says.
    """
    program, *args = sys.argv if argv is None else argv
    try:
        status = _dispatch(os.path.basename(program), args)  # noqa: PTH119 - pathlib costs start-up time
        sys.stdout.flush()
    except UsageError as error:
        print(f"postroad: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _dispatch(program: str, args: list[str]) -> int:
    if program in POSTFIX_NAMES:
        return _run(program, None, args)
    directory, args = _leading_directory(args)
    if not args or args[0] in ("-h", "--help", "help"):
        print(usage(), end="", file=sys.stdout if args else sys.stderr)
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        from postroad import __version__

        print(f"postroad {__version__}")
        return 0
    name, *rest = args
    if name not in COMMANDS:
        raise UsageError(_unknown(name))
    return _run(name, directory, rest)


def _run(name: str, directory: str | None, args: list[str]) -> int:
    command = COMMANDS[name]
    # Behind the name of a Postfix command only a -c in front is ours: sendmail and postmap have options
    # whose values may look like one.
    found, args = _leading_directory(args) if command.postfix else _any_directory(args)
    module, _, function = command.module.partition(":")
    if find_spec(f"postroad.cli.{module}") is None:
        print(f"postroad: {name}: not available", file=sys.stderr)
        return 1
    run = getattr(import_module(f"postroad.cli.{module}"), function or "run")
    status: int = run(found or directory or configuration_directory(), [*command.prefix, *args])
    return status


def configuration_directory() -> str:
    """Return $MAIL_CONFIG, or the first of the usual directories that has a main.cf."""
    chosen = os.environ.get("MAIL_CONFIG")
    if chosen:
        return chosen
    usual = (name for name in _DIRECTORIES if os.path.isfile(f"{name}/main.cf"))  # noqa: PTH113
    return next(usual, _DIRECTORIES[-1])


def _leading_directory(args: list[str]) -> tuple[str | None, list[str]]:
    """Take ``-c DIR`` from the front."""
    directory = None
    while args and args[0].startswith("-c"):
        directory, args = _taken(args, 0)
    return directory, args


def _any_directory(args: list[str]) -> tuple[str | None, list[str]]:
    """Take ``-c DIR`` from wherever it stands in front of ``--``."""
    directory = None
    at = 0
    while at < len(args) and args[at] != "--":
        if args[at].startswith("-c"):
            directory, args = _taken(args, at)
        else:
            at += 1
    return directory, args


def _taken(args: list[str], at: int) -> tuple[str, list[str]]:
    joined = args[at][2:]
    if joined:
        return joined, args[:at] + args[at + 1 :]
    if at + 1 >= len(args):
        raise UsageError("-c needs a directory")
    return args[at + 1], args[:at] + args[at + 2 :]


def usage() -> str:
    """Return what ``postroad --help`` prints."""
    lines = ["usage: postroad [-c DIR] COMMAND [ARGUMENT ...]", ""]
    for heading, postfix in (("commands:", False), ("Postfix's commands, same arguments and output:", True)):
        lines.append(heading)
        chosen = [(name, c) for name, c in COMMANDS.items() if c.postfix is postfix]
        lines += [f"  {name:<11} {command.help}" for name, command in chosen]
        lines.append("")
    lines += [
        "-c DIR     where main.cf and master.cf are (default: $MAIL_CONFIG, /etc/postroad, /etc/postfix)",
        "--help     behind a command: its arguments",
        "--version  the version",
    ]
    return "\n".join(lines) + "\n"


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else "postroad --help lists the commands"
    return f"no such command: {name} ({hint})"
