from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.smtpd.commands import Commands
from postroad.tables.context import TableContext

from .conftest import Peer, settings


def commands(sink=None, **texts):
    return Commands(settings(**texts), TableContext(), Log(sink or ListSink(), pid=1))


def test_words_are_in_the_lists_in_any_case():
    made = commands(smtpd_noop_commands="ping", smtpd_forbidden_commands="GET")
    assert (made.is_noop("PING"), made.is_noop("GET")) == (True, False)
    assert (made.is_forbidden("get"), made.is_forbidden("PING")) == (True, False)


def test_a_list_that_fails_has_no_word_and_the_log_says_so():
    sink = ListSink()
    made = commands(sink, smtpd_forbidden_commands="regexp:/no/such/file")
    assert not made.is_forbidden("GET")
    assert any("warning: list of commands: " in line for line in sink.lines)


def test_a_filter_replaces_what_it_knows(tmp_path):
    table = tmp_path / "table"
    table.write_text("/^HELO +(.*)/ EHLO $1\n")
    made = commands(smtpd_command_filter=f"regexp:{table}")
    assert made.rewritten("HELO a") == "EHLO a"
    assert made.rewritten("NOOP") is None


def test_a_filter_that_cannot_be_read_is_no_answer():
    with pytest.raises(TableUnavailable):
        commands(smtpd_command_filter="regexp:/no/such/file").rewritten("NOOP")


def test_a_filter_that_has_to_be_waited_for_cannot_be_used():
    with pytest.raises(ValueError, match="smtpd_command_filter: only a table that answers from memory"):
        commands(smtpd_command_filter="unionmap:{static:x}")


async def test_lists_of_words_are_obeyed(stand):
    port = await stand.serve(
        smtpd_noop_commands="ping", smtpd_forbidden_commands="GET regexp:{{/^[^A-Z]/ x}}"
    )
    for line in ("GET / HTTP/1.0", "12345"):
        peer = await Peer.connect(port)
        await peer.reply()
        assert await peer.ask("PING") == "250 2.0.0 Ok"
        assert await peer.ask(line) == "221 2.7.0 Error: I can break rules, too. Goodbye."
        assert f"smtpd: warning: non-SMTP command from unknown[127.0.0.1]: {line}" in stand.log
        await peer.close()


async def test_a_list_that_fails_costs_no_session(stand):
    port = await stand.serve(smtpd_forbidden_commands="fail:words")
    peer = await Peer.connect(port)
    await peer.reply()
    assert await peer.ask("FOO") == "500 5.5.2 Error: command not recognized"
    await peer.close()
