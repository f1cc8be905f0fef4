"""``postsuper``: delete, hold, release, requeue and expire messages.  For the super-user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from postroad.base.errors import PostroadError
from postroad.base.log import Log, sink_for
from postroad.base.params import Settings
from postroad.cli.queue_tools import Ending, Tool, is_queue_id

_USAGE = (
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
    " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)]"
    " [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)]"
    " [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
_ALL = ("hold", "incoming", "active", "deferred")
#: option: what is done, in which queues unless some are named
_ACTIONS = {
    "-r": (("requeue",), _ALL),
    "-d": (("delete",), _ALL),
    "-e": (("expire",), _ALL),
    "-f": (("expire", "release"), _ALL),
    "-h": (("hold",), ("incoming", "active", "deferred")),
    "-H": (("release",), ("hold",)),
}
#: verb: what is said of one message, and of all together; in the order of the summary
_WORDS = {
    "requeue": ("requeued", "Requeued"),
    "delete": ("removed", "Deleted"),
    "expire": ("expired", "Force-expired"),
    "hold": ("placed on hold", "Placed on hold"),
    "release": ("released from hold", "Released from hold"),
}
_QUEUES = ("maildrop", *_ALL)


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; the exit status is 0, also when nothing matched, and 1 when it failed."""
    tool = Tool("postsuper")
    try:
        options, queues = tool.options(args, "c:d:e:f:h:H:pr:sSv", _USAGE, directory)
        if os.geteuid() != 0:
            tool.fatal("use of this command is reserved for the superuser")
        for queue in queues:
            if queue not in _QUEUES:
                tool.fatal(f"invalid directory name: {queue}")
        wanted = _wanted(tool, options)
        if wanted:
            _Session(tool, queues).perform(wanted)
    except Ending as end:
        return end.status
    except (PostroadError, OSError) as error:
        tool.say(f"fatal: {error}")
        return 1
    return 0


def _wanted(tool: Tool, options: list[tuple[str, str]]) -> dict[str, list[str] | None]:
    """Return the queue ids of each option, None for ALL.  -p, -s and -S have nothing to do here."""
    wanted: dict[str, list[str] | None] = {}
    for option, value in options:
        if option not in _ACTIONS:
            continue
        given = [line.strip() for line in sys.stdin if line.strip()] if value == "-" else [value]
        ids = wanted.setdefault(option, [])
        for queue_id in given:
            if queue_id == "ALL" and value != "-":
                wanted[option] = ids = None
            elif not is_queue_id(queue_id):
                tool.say(f"warning: invalid mail queue id: {queue_id}")
            elif ids is not None:
                ids.append(queue_id)
    return wanted


class _Session:
    """What one call of the command does to the queue, and says about it."""

    def __init__(self, tool: Tool, queues: list[str]) -> None:
        self._tool = tool
        self._queues = queues
        self._settings: Settings = tool.settings()
        self._log = _log(self._settings)

    def perform(self, wanted: dict[str, list[str] | None]) -> None:
        """Do everything, in Postfix's order, then print the sums."""
        counts: dict[str, int] = {}
        for option in ("-d", "-r", "-h", "-H", "-e", "-f"):
            if option not in wanted:
                continue
            ids = wanted[option]
            verbs, defaults = _ACTIONS[option]
            for verb in verbs:
                queues = self._queues or list(("hold",) if verb == "release" else defaults)
                counts[verb] = counts.get(verb, 0) + self._change(verb, ids, queues)
        for verb, (_one, words) in _WORDS.items():
            if verb in counts:
                self._say(f"{words}: {counts[verb]} message{'' if counts[verb] == 1 else 's'}")
        self._log.sink.flush()

    def _change(self, verb: str, ids: list[str] | None, queues: list[str]) -> int:
        from postroad.admin.queue import change
        from postroad.app.params import CONTROL_SOCKET
        from postroad.base.clock import SystemClock
        from postroad.model.params import QUEUE_DIRECTORY

        if ids == []:
            return 0
        changed = change(
            Path(self._settings[QUEUE_DIRECTORY]),
            self._settings[CONTROL_SOCKET],
            verb,
            ids,
            now=SystemClock.now(),
            queues=queues,
        )
        if ids is not None:
            for queue_id in changed:
                self._say(f"{queue_id}: {_WORDS[verb][0]}")
        return len(changed)

    def _say(self, text: str) -> None:
        self._tool.say(text)
        self._log.line("postsuper", text)


def _log(settings: Settings) -> Log:
    from postroad.model.params import MAILLOG_FILE, MYHOSTNAME, SYSLOG_FACILITY, SYSLOG_NAME

    sink = sink_for(settings[MAILLOG_FILE], settings[SYSLOG_FACILITY], settings[MYHOSTNAME])
    return Log(sink, settings[SYSLOG_NAME])
