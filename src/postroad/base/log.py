"""The mail log: lines in Postfix's form, gathered and written in batches.

A log event is declared once, beside the code that emits it:

    CONNECT = Event("smtpd", "connect from %s", "A client has connected.")
    log.emit(CONNECT, peer)                     # one formatted line, no system call

``emit`` costs a string format and a list append.  The sink writes what has gathered when the loop
asks it to (``flush``), at once for warnings and errors, and on stop.
"""

from __future__ import annotations

import os
import re
import socket
import syslog
import time
from collections.abc import Callable
from dataclasses import dataclass

from postroad.base.clock import Clock, SystemClock

#: Control characters never reach the log: one event is one line, whatever the peer sent.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One kind of log line: the program that says it, its text with ``%s`` places, what it means.

    ``urgent`` lines are written at once.
    """

    program: str
    text: str
    doc: str = ""
    urgent: bool = False


def clean(text: str) -> str:
    """Return the text with control and direction characters replaced by ``?``, as Postfix does."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("?", text)


class Log:
    """Where events go.  One per process; ``named`` gives a view under another ``syslog_name``."""

    def __init__(self, sink: Sink, name: str = "postfix", pid: int | None = None) -> None:
        self.sink = sink
        self.name = name
        self.pid = os.getpid() if pid is None else pid
        self._tags: dict[str, str] = {}

    def named(self, name: str) -> Log:
        """Return a Log to the same sink under another ``syslog_name``."""
        return self if name == self.name else Log(self.sink, name, self.pid)

    def emit(self, event: Event, *values: object) -> None:
        """Note an event.  Values are put in by ``%``; lines are cleaned of control characters."""
        text = event.text % values if values else event.text
        tag = self._tags.get(event.program)
        if tag is None or event.urgent:
            self.line(event.program, text, urgent=event.urgent)
            return
        if not (text.isascii() and text.isprintable()):
            text = _UNSAFE.sub("?", text)
        self.sink.add(tag, text)

    def line(self, program: str, text: str, *, urgent: bool = False) -> None:
        """Note a line as it stands, under a program's name."""
        tag = self._tags.get(program)
        if tag is None:
            tag = self._tags[program] = f"{self.name}/{program}[{self.pid}]: "
        if not (text.isascii() and text.isprintable()):
            text = _UNSAFE.sub("?", text)
        self.sink.add(tag, text)
        if urgent:
            self.sink.flush()

    def warning(self, program: str, text: str) -> None:
        """Note ``warning: text`` and write it at once."""
        self.line(program, f"warning: {text}", urgent=True)

    def error(self, program: str, text: str) -> None:
        """Note ``error: text`` and write it at once."""
        self.line(program, f"error: {text}", urgent=True)

    def fatal(self, program: str, text: str) -> None:
        """Note ``fatal: text`` and write it at once; the caller ends the process."""
        self.line(program, f"fatal: {text}", urgent=True)


class Sink:
    """Gathers lines; a subclass writes them.  This one forgets them."""

    def add(self, tag: str, text: str) -> None:
        """Take one line."""

    def flush(self) -> None:
        """Write what has gathered."""

    def reopen(self) -> None:
        """Open the destination again, after a log rotation."""


class ListSink(Sink):
    """Keeps the lines, for tests."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, tag: str, text: str) -> None:
        """Keep ``program: text`` without name and pid."""
        self.lines.append(tag.partition("[")[0].rpartition("/")[2] + ": " + text)


class FileSink(Sink):
    """``maillog_file``: ``Nov 23 06:00:01 mx1 postfix/smtpd[201]: ...``, one write for many lines.

    A line that could not be written is dropped and counted; mail does not stop for the log.
    """

    LIMIT = 2000  # lines kept before a write is forced

    def __init__(self, path: str, hostname: str = "", clock: Clock | None = None) -> None:
        self._path = path
        self._host = (hostname or socket.gethostname()).partition(".")[0]
        self._now = (clock or SystemClock()).now
        self._lines: list[str] = []
        self._second = -1
        self._prefix = ""
        self.lost = 0
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        """Open the file again by its name; the old one stays if that fails."""
        self.flush()
        if self._path == "/dev/stdout":
            self._fd = 1
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def add(self, tag: str, text: str) -> None:
        """Take one line and stamp it."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._prefix = f"{time.strftime('%b %e %H:%M:%S', time.localtime(second))} {self._host} "
        lines = self._lines
        lines.append(f"{self._prefix}{tag}{text}\n")
        if len(lines) >= self.LIMIT:
            self.flush()

    def flush(self) -> None:
        """Write all in one call; a short write is finished, an error counts the lines as lost."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        data = "".join(lines).encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self.lost += len(lines)


class SyslogSink(Sink):
    """The system's log; used while ``maillog_file`` is empty."""

    def __init__(self, facility: str = "mail") -> None:
        self._facility: int = getattr(syslog, f"LOG_{facility.upper()}", syslog.LOG_MAIL)
        self._lines: list[str] = []
        syslog.openlog("postfix", 0, self._facility)

    def add(self, tag: str, text: str) -> None:
        """Take one line."""
        self._lines.append(tag + text)

    def flush(self) -> None:
        """Hand the lines to syslog(3), each under its own name."""
        lines, self._lines = self._lines, []
        for line in lines:
            name, _, text = line.partition("[")
            syslog.openlog(name, syslog.LOG_PID, self._facility)
            syslog.syslog(syslog.LOG_INFO, text.partition("]: ")[2])


def sink_for(maillog_file: str, facility: str = "mail", hostname: str = "", opener: Callable[[str, str], Sink] = FileSink) -> Sink:  # fmt: skip  # noqa: E501
    """Return the sink that the configuration names."""
    return opener(maillog_file, hostname) if maillog_file else SyslogSink(facility)
