"""The arguments of ``sendmail``, as Postfix's command reads them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS

_WITH_VALUE = frozenset("ABCFLNORVXbefhopr")
_ALONE = frozenset("GIUcimntv")
_DSN = {"never": NEVER, "success": SUCCESS, "failure": FAILURE, "delay": DELAY}
_MODES = {
    "m": "enqueue", "p": "mailq", "i": "newaliases", "s": "stdio", "d": "daemon", "l": "daemon",
    "v": "verify", "h": "nothing", "H": "nothing",
}  # fmt: skip


class UsageError(Exception):
    """The arguments cannot be understood.  ``messages`` are said in front."""

    def __init__(self, text: str, *messages: str) -> None:
        super().__init__(text)
        self.messages = messages


@dataclass(slots=True)
class Options:
    """What was asked for.  ``sender`` None: the user who calls.  ``warnings`` are said, and no error."""

    mode: str = "enqueue"
    recipients: list[str] = field(default_factory=list)
    sender: str | None = None
    full_name: str | None = None
    extract: bool = False  # -t
    dot_ends: bool = True
    notify: int = 0
    ret: str = ""
    envid: str = ""
    eight_bit: bool = False
    smtputf8: bool = False
    verbose: int = 0
    directory: str = ""
    alias_database: str = ""
    flush_id: str = ""
    flush_site: str = ""
    warnings: list[str] = field(default_factory=list)


def parse(args: list[str]) -> Options:
    """Read the arguments; UsageError.

    ``--`` ends the options.  Behind the first recipient an argument that begins with ``-`` is
    refused: an address of somebody else's making must never become an option.
    """
    options = Options()
    at = 0
    while at < len(args):
        word = args[at]
        if word == "--":
            options.recipients += args[at + 1 :]
            break
        if not word.startswith("-") or word == "-":
            _take_recipients(options, args[at:])
            break
        at += _take_word(options, word, args[at + 1] if at + 1 < len(args) else None)
    _check(options)
    return options


def _take_recipients(options: Options, words: list[str]) -> None:
    for at, word in enumerate(words):
        if word == "--":
            options.recipients += words[at + 1 :]
            return
        if word.startswith("-"):
            raise UsageError(f"recipient {word!r} begins with a hyphen; options stand in front, -- ends them")
        options.recipients.append(word)


def _take_word(options: Options, word: str, following: str | None) -> int:
    """Take one argument of options; return how many arguments it took."""
    at = 1
    while at < len(word):
        letter, rest = word[at], word[at + 1 :]
        if letter == "q":
            _take_queue_run(options, rest)
            return 1
        if letter in _ALONE:
            _take_flag(options, letter)
            at += 1
        elif letter not in _WITH_VALUE:
            raise UsageError("usage: sendmail [options]", f"invalid option -- '{letter}'")
        elif rest:
            _take_value(options, letter, rest)
            return 1
        elif following is None:
            raise UsageError("usage: sendmail [options]", f"option requires an argument -- '{letter}'")
        else:
            _take_value(options, letter, following)
            return 2
    return 1


def _take_queue_run(options: Options, rest: str) -> None:
    if not rest:
        options.mode = "flush"
    elif rest[0] in "IR":
        if len(rest) == 1:
            raise UsageError(f"-q{rest} requires {'a queue id' if rest == 'I' else 'a site name'}")
        options.mode = "flush"
        options.flush_id, options.flush_site = (rest[1:], "") if rest[0] == "I" else ("", rest[1:])
    elif not rest[0].isdigit():  # an interval is ignored
        raise UsageError(f"-q{rest[0]} is not implemented")


def _take_flag(options: Options, letter: str) -> None:
    if letter == "t":
        options.extract = True
    elif letter == "i":
        options.dot_ends = False
    elif letter == "v":
        options.verbose += 1
    elif letter == "I":
        options.mode = "newaliases"


def _take_value(options: Options, letter: str, value: str) -> None:
    if letter in "fr":
        options.sender = value
    elif letter == "F":
        options.full_name = value
    elif letter == "C":
        options.directory = value if os.path.isdir(value) else os.path.dirname(value)  # noqa: PTH112, PTH120
    elif letter == "b":
        _take_mode(options, value)
    elif letter == "B":
        _take_body_type(options, value)
    elif letter == "o":
        _take_old_option(options, value)
    elif letter == "O":
        name, _, given = value.lower().partition("=")
        options.smtputf8 = options.smtputf8 or (name == "smtputf8" and given not in ("no", "false", "0"))
    elif letter in "NRV":
        _take_notification(options, letter, value)
    elif letter == "X" and value.startswith("V"):
        raise UsageError("-XV: variable return paths (VERP) are not available")


def _take_mode(options: Options, value: str) -> None:
    if value[:1] not in _MODES:
        raise UsageError(f"unsupported: -b{value[:1]}")
    options.mode = _MODES[value[0]]


def _take_body_type(options: Options, value: str) -> None:
    if value.upper() not in ("7BIT", "8BITMIME"):
        raise UsageError("-B option needs 8BITMIME or 7BIT")
    options.eight_bit = value.upper() == "8BITMIME"


def _take_old_option(options: Options, value: str) -> None:
    if value.startswith("A"):
        if len(value) == 1:
            raise UsageError("-oA requires pathname")
        options.alias_database = value[1:]
    elif value.startswith("i"):
        options.dot_ends = False


def _take_notification(options: Options, letter: str, value: str) -> None:
    """Take -N, -R or -V.  What cannot be read is warned of and ignored, as Postfix does."""
    if letter == "N":
        words = [word.strip().lower() for word in value.split(",")]
        known = all(word in _DSN for word in words) and ("never" not in words or len(set(words)) == 1)
        options.notify = sum(_DSN[word] for word in set(words)) if known else options.notify
    elif letter == "R":
        known = value.lower() in ("hdrs", "full")
        options.ret = value.upper() if known else options.ret
    else:
        # RFC 3461 4.4: at most 100 characters, printable
        known = bool(value) and len(value) <= 100 and value.isascii() and value.isprintable()
        options.envid = value if known else options.envid
    if not known:
        options.warnings.append(
            f"bad {'syntax in -V' if letter == 'V' else f'-{letter}'} option value -- ignored"
        )


def _check(options: Options) -> None:
    """Refuse what does not go together."""
    if options.recipients and options.mode in ("flush", "mailq", "stdio"):
        names = {"flush": "flush queue", "mailq": "display queue", "stdio": "stand-alone"}
        raise UsageError(f"{names[options.mode]} mode requires no recipient")
    if options.extract and options.mode not in ("enqueue", "verify"):
        raise UsageError(f"-t can be used only in delivery mode (not with {options.mode})")
    if options.verbose and not options.notify:
        options.notify = SUCCESS | FAILURE | DELAY  # the nearest thing to a report of the first attempt
