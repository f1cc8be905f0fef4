"""What postqueue, postsuper and postcat share: options, settings, and how they end."""

from __future__ import annotations

import getopt
import os
import sys
from pathlib import Path
from typing import NoReturn

from postroad.base.params import Settings


class Ending(Exception):  # noqa: N818 - the end of a command, not always an error
    """A command ends with this exit status, its messages printed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Tool:
    """One run of a command: its name in messages, and the exit status of its fatal errors."""

    def __init__(self, name: str, fatal_status: int = 1) -> None:
        self.name = name
        self._fatal_status = fatal_status
        self.directory = ""

    def options(self, args: list[str], letters: str, usage: str, directory: str | None) -> tuple[list[tuple[str, str]], list[str]]:  # fmt: skip  # noqa: E501
        """Parse options as getopt(3) does; ``-c`` is taken out."""
        if "--help" in args:
            print(usage)
            raise Ending(0)
        try:
            found, rest = getopt.getopt(args, letters)
        except getopt.GetoptError as error:
            kind = "option requires an argument" if "requires" in error.msg else "invalid option"
            print(f"{self.name}: {kind} -- '{error.opt}'", file=sys.stderr)
            self.fatal(usage)
        for _option, value in [pair for pair in found if pair[0] == "-c"]:
            directory = value
        self.directory = directory or os.environ.get("MAIL_CONFIG") or "/etc/postfix"
        return [pair for pair in found if pair[0] not in ("-c", "-v")], rest

    def settings(self) -> Settings:
        """Read the configuration."""
        from postroad.app.registry import registry
        from postroad.base.config import find_facts, load

        if not Path(self.directory, "main.cf").is_file():
            self.fatal(f"open {self.directory}/main.cf: No such file or directory")
        return load(self.directory, registry(), find_facts(self.directory)).settings

    def say(self, text: str) -> None:
        """Print a message for a person."""
        print(f"{self.name}: {text}", file=sys.stderr)

    def fatal(self, text: str, status: int | None = None) -> NoReturn:
        """Print why the command ends, and end it."""
        self.say(f"fatal: {text}")
        raise Ending(self._fatal_status if status is None else status)


def is_queue_id(text: str) -> bool:
    """Return whether Postfix would take this for a queue id: letters and digits."""
    return bool(text) and text.isascii() and all(char.isalnum() or char == "_" for char in text)
