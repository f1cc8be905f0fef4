"""master.cf: the services and their ``-o name=value`` overrides (master(5))."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.base.errors import Problem, Severity
from postroad.base.maincf import BLANKS, Line, Setting, logical_lines, misplaced, split_setting

TYPES = ("inet", "unix", "fifo", "pass", "unix-dgram")
FIELDS = ("service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command")
_YES_NO = re.compile("[-yn]")
_WAKEUP = re.compile(r"-|[0-9]{1,9}\??")
_LIMIT = re.compile("-|[0-9]{1,9}")

#: The services of a Postfix as it is installed; used when there is no master.cf.
DEFAULT = """\
smtp       inet  n  -  n  -      -  smtpd
pickup     unix  n  -  n  60     1  pickup
cleanup    unix  n  -  n  -      0  cleanup
qmgr       unix  n  -  n  300    1  qmgr
tlsmgr     unix  -  -  n  1000?  1  tlsmgr
rewrite    unix  -  -  n  -      -  trivial-rewrite
bounce     unix  -  -  n  -      0  bounce
defer      unix  -  -  n  -      0  bounce
trace      unix  -  -  n  -      0  bounce
verify     unix  -  -  n  -      1  verify
flush      unix  n  -  n  1000?  0  flush
proxymap   unix  -  -  n  -      -  proxymap
proxywrite unix  -  -  n  -      1  proxymap
smtp       unix  -  -  n  -      -  smtp
relay      unix  -  -  n  -      -  smtp -o syslog_name=${multi_instance_name?{$multi_instance_name}:{postfix}}/$service_name
showq      unix  n  -  n  -      -  showq
error      unix  -  -  n  -      -  error
retry      unix  -  -  n  -      -  error
discard    unix  -  -  n  -      -  discard
local      unix  -  n  n  -      -  local
virtual    unix  -  n  n  -      -  virtual
lmtp       unix  -  -  n  -      -  lmtp
anvil      unix  -  -  n  -      1  anvil
scache     unix  -  -  n  -      1  scache
postlog    unix-dgram n - n -    1  postlogd
"""  # noqa: E501 - one service, one line


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    ``maxproc`` is None for ``-`` ($default_process_limit), 0 for no limit.  ``wakeup`` is seconds,
    0 for never.  ``args`` are the command's arguments without its ``-o`` overrides; ``overrides``
    are unexpanded.  ``fields`` are the eight fields as written, ``words`` all arguments.
    """

    name: str
    type: str
    private: bool
    unprivileged: bool
    chroot: bool
    wakeup: int
    maxproc: int | None
    command: str
    args: tuple[str, ...]
    overrides: dict[str, str]
    where: str
    places: dict[str, str] = field(default_factory=dict)  # of each override
    fields: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return ``name/type``, which no two services share."""
        return f"{self.name}/{self.type}"


def words_of(text: str, start: int = 0) -> list[tuple[int, str]]:
    """Split at blanks that stand outside ``{ }``; return (offset, word) pairs, braces kept."""
    words: list[tuple[int, str]] = []
    begin, depth = -1, 0
    for at in range(start, len(text)):
        char = text[at]
        if depth == 0 and char in BLANKS:
            if begin >= 0:
                words.append((begin, text[begin:at]))
            begin = -1
            continue
        if begin < 0:
            begin = at
        if char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
    if begin >= 0:
        words.append((begin, text[begin:]))
    return words


def unbraced(word: str) -> str:
    """Return a word without the braces around it; ValueError when something is wrong with them."""
    if not word.startswith("{"):
        return word
    depth = 0
    for at, char in enumerate(word):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            if at != len(word) - 1:
                raise ValueError(f"syntax error after '}}' in \"{word}\"")
            return word[1:at].strip(BLANKS)
    raise ValueError(f"missing '}}' in \"{word}\"")


def entries(text: str, file: str = "master.cf") -> tuple[list[Service], list[Problem]]:
    """Return every line's service in order, and what is wrong with the file."""
    services: list[Service] = []
    problems: list[Problem] = []
    for line in logical_lines(text):
        if line.text[0] in BLANKS:
            problems.append(misplaced(line, file))
            continue
        try:
            services.append(service_of(line, file))
        except ValueError as error:
            problems.append(Problem(f"{file}:{line.number}", str(error), "see master(5)"))
    return services, problems


def parse(text: str, file: str = "master.cf") -> tuple[list[Service], list[Problem]]:
    """Return the services in order, and what is wrong with the file.

    Of two services with one name and type the later counts, as with Postfix.
    """
    found, problems = entries(text, file)
    services: dict[str, Service] = {}
    for service in found:
        earlier = services.get(service.key)
        if earlier is not None:
            message = f'duplicate master.cf entry for service "{service.name}" ({service.type})'
            hint = f"the last entry is used, {earlier.where} has no effect"
            problems.append(Problem(service.where, message, hint, Severity.WARNING))
        services[service.key] = service
    return list(services.values()), problems


def service_of(line: Line, file: str = "master.cf") -> Service:
    """Read one logical line; ValueError in Postfix's words when it is no service."""
    text = line.text
    heads = [(found.start(), found[0]) for found in re.finditer(rf"[^{BLANKS}]+", text)][: len(FIELDS)]
    fields = tuple(word for _, word in heads)
    _check_fields(fields)
    if "\0" in text:
        raise ValueError("null byte in the line")
    tail = heads[-1][0] + len(fields[-1])
    words = [(at, unbraced(word)) for at, word in words_of(text, tail)]

    def place(offset: int) -> str:
        return f"{file}:{line.number_at(offset)}"

    args, settings = _split_overrides(words, place)
    return Service(
        name=fields[0],
        type=fields[1],
        private=fields[2] != "n" and fields[1] != "inet",  # master(5): inet services are never private
        unprivileged=fields[3] != "n",
        chroot=fields[4] == "y",
        wakeup=0 if fields[5] == "-" else int(fields[5].rstrip("?")),
        maxproc=None if fields[6] == "-" else int(fields[6]),
        command=fields[7],
        args=args,
        overrides={name: setting.text for name, setting in settings.items()},
        where=f"{file}:{line.number}",
        places={name: setting.where for name, setting in settings.items()},
        fields=fields,
        words=_normal(words, settings),
    )


def _normal(words: list[tuple[int, str]], settings: dict[str, Setting]) -> tuple[str, ...]:
    """Return the arguments with every override as ``-o``, ``name=value``."""
    plain = [word for _, word in words]
    if not settings:
        return tuple(plain)
    result: list[str] = []
    rest = iter(plain)
    for word in rest:
        if not word.startswith("-") or word == "--":
            return (*result, word, *rest)
        if word.startswith("-o"):
            name, value = split_setting(word[2:] or next(rest))
            result += ["-o", f"{name}={value}"]
        else:
            result.append(word)
    return tuple(result)


def _check_fields(fields: tuple[str, ...]) -> None:
    if len(fields) < len(FIELDS):
        raise ValueError(f'missing "{FIELDS[len(fields)]}" field')
    for name, value in zip(FIELDS[1:7], fields[1:7], strict=True):
        if name == "type":
            good = value in TYPES
        elif name == "wakeup":
            good = _WAKEUP.fullmatch(value) is not None
        elif name == "process_limit":
            good = _LIMIT.fullmatch(value) is not None
        else:
            good = _YES_NO.fullmatch(value) is not None
        if not good:
            raise ValueError(f'field "{name}": bad value: "{value}"')


def _split_overrides(words: list[tuple[int, str]], place: Callable[[int], str]) -> tuple[tuple[str, ...], dict[str, Setting]]:  # fmt: skip  # noqa: E501
    """Part ``-o name=value`` from the other arguments.

    Overrides stand before the first argument that is no option: what follows belongs to the
    command (pipe's ``argv=`` may well contain a ``-o``).
    """
    args: list[str] = []
    settings: dict[str, Setting] = {}
    rest = iter(words)
    for offset, word in rest:
        if not word.startswith("-") or word in ("-", "--"):
            args.append(word)
            args.extend(each for _, each in rest)
            break
        if not word.startswith("-o"):
            args.append(word)
            continue
        at, text = (offset, word[2:]) if len(word) > 2 else next(rest, (offset, ""))
        if not text:
            raise ValueError("-o without name=value")
        try:
            name, value = split_setting(text)
        except ValueError as error:
            raise ValueError(f'{error}: "{text}"') from error
        settings[name] = Setting(value, place(at))
    return tuple(args), settings
