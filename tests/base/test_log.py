import os
import re

import pytest

from postroad.base.clock import TestClock
from postroad.base.log import Event, FileSink, ListSink, Log, Sink, SyslogSink, clean, sink_for

CONNECT = Event("smtpd", "connect from %s", "A client has connected.")
TROUBLE = Event("master", "warning: %s", urgent=True)


def test_a_line_has_postfix_form(tmp_path):
    path = tmp_path / "maillog"
    log = Log(FileSink(str(path), "mx1.example.com", TestClock()), "postfix", 201)
    log.emit(CONNECT, "h[1.2.3.4]")
    log.sink.flush()
    assert re.fullmatch(
        r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mx1 postfix/smtpd\[201\]: connect from h\[1\.2\.3\.4\]\n",
        path.read_text(),
    )


def test_lines_are_gathered_and_urgent_ones_written_at_once(tmp_path):
    path = tmp_path / "maillog"
    log = Log(FileSink(str(path), "mx"))
    log.emit(CONNECT, "a")
    assert path.read_text() == ""
    log.emit(TROUBLE, "b")
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "evil",
    [
        "a\r\nb",
        "a\nJan  1 00:00:00 mx postfix/smtpd[1]: forged",
        "\x1b[31m",
        "\x00",
        "a\u2028b",
        "\u202e",
        "\udcff",
    ],
)
def test_one_event_is_one_line_whatever_the_peer_sent(tmp_path, evil):
    path = tmp_path / "maillog"
    log = Log(FileSink(str(path), "mx"))
    log.emit(CONNECT, evil)
    log.sink.flush()
    assert path.read_bytes().count(b"\n") == 1
    assert "?" in path.read_text()
    assert clean(evil).count("?") >= 1


def test_a_view_under_another_name_writes_to_the_same_place():
    sink = ListSink()
    log = Log(sink)
    log.named("postfix/submission").emit(CONNECT, "a")
    log.warning("smtpd", "b")
    log.error("smtpd", "c")
    log.fatal("smtpd", "d")
    assert sink.lines == ["smtpd: connect from a", "smtpd: warning: b", "smtpd: error: c", "smtpd: fatal: d"]
    assert log.named("postfix") is log


def test_reopening_follows_the_name_after_a_rotation(tmp_path):
    path = tmp_path / "maillog"
    sink = FileSink(str(path), "mx")
    log = Log(sink)
    log.emit(CONNECT, "before")
    path.rename(tmp_path / "maillog.1")
    sink.reopen()
    log.emit(CONNECT, "after")
    sink.flush()
    assert "after" in path.read_text()
    assert "before" in (tmp_path / "maillog.1").read_text()


def test_a_log_that_cannot_be_written_counts_what_it_lost_and_stops_nobody(tmp_path):
    sink = FileSink(str(tmp_path / "maillog"), "mx")
    os.close(sink._fd)
    sink._fd = os.open("/dev/full", os.O_WRONLY)
    Log(sink).emit(TROUBLE, "a")
    assert sink.lost == 1


def test_much_is_written_before_it_is_too_much_to_keep(tmp_path):
    path = tmp_path / "maillog"
    log = Log(FileSink(str(path), "mx"))
    for _ in range(FileSink.LIMIT):
        log.emit(CONNECT, "x")
    assert path.stat().st_size > 0


def test_the_configuration_chooses_the_sink(tmp_path):
    assert isinstance(sink_for(str(tmp_path / "log")), FileSink)
    assert isinstance(sink_for(""), SyslogSink)


def test_the_plain_sink_forgets():
    sink = Sink()
    Log(sink).emit(TROUBLE, "a")
    sink.reopen()


def test_syslog_lines_go_out_under_their_own_names(monkeypatch):
    said = []
    monkeypatch.setattr("syslog.openlog", lambda name, *_: said.append(name))
    monkeypatch.setattr("syslog.syslog", lambda _priority, text: said.append(text))
    log = Log(SyslogSink("mail"))
    log.emit(CONNECT, "a[1]: b")
    log.sink.flush()
    assert said[-2:] == ["postfix/smtpd", "connect from a[1]: b"]
