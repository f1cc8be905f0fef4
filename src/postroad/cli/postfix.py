"""``postfix start`` and its like, as Postfix's own command takes them."""

from __future__ import annotations

import sys
from importlib import import_module

_USAGE = "usage: postfix [-c config_dir] [-v] {start|start-fg|stop|abort|reload|status|check|flush|logrotate}"
#: The verb, and the command of ours with its arguments.
_VERBS = {
    "start": ("server", ["start"]),
    "start-fg": ("server", ["start", "--foreground"]),
    "stop": ("server", ["stop"]),
    "abort": ("server", ["abort"]),
    "reload": ("server", ["reload"]),
    "status": ("server", ["status"]),
    "logrotate": ("server", ["reload"]),  # a reload opens the log again
    "check": ("check", ["--quiet"]),
    "flush": ("postqueue", ["-f"]),
}


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; the exit status is that of the verb."""
    words = [word for word in args if word != "-v"]
    if words == ["--help"]:
        print(_USAGE)
        return 0
    if len(words) != 1 or words[0] not in _VERBS:
        print(f"postfix: fatal: {_USAGE}", file=sys.stderr)
        return 1
    module, arguments = _VERBS[words[0]]
    status: int = import_module(f"postroad.cli.{module}").run(directory, arguments)
    return status
