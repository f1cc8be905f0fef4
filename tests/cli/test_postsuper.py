import io
import os
import sys

import pytest

from postroad.cli import postsuper
from postroad.cli.postsuper import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="for the super-user")


@pytest.fixture
def super_(queue, capsys):
    def call(*args):
        assert run(str(queue.etc), list(args)) == 0
        shown = capsys.readouterr()
        assert shown.out == ""
        return shown.err.splitlines()

    return call


@pytest.mark.parametrize(
    ("option", "word", "sums"),
    [
        ("-d", "removed", ["Deleted"]),
        ("-h", "placed on hold", ["Placed on hold"]),
        ("-r", "requeued", ["Requeued"]),
        ("-e", "expired", ["Force-expired"]),
    ],
)
def test_one_message_is_named_and_counted(queue, super_, option, word, sums):
    message, _other = queue.add("bob@dest.test"), queue.add("carol@dest.test", shard=1)
    assert super_(option, message.id) == [
        f"postsuper: {message.id}: {word}",
        *(f"postsuper: {text}: 1 message" for text in sums),
    ]


def test_release_works_on_what_is_held(queue, super_):
    held, deferred = queue.add("bob@dest.test", held=1), queue.add("carol@dest.test")
    assert super_("-H", deferred.id, "-H", held.id) == [
        f"postsuper: {held.id}: released from hold",
        "postsuper: Released from hold: 1 message",
    ]


def test_forced_expiry_with_f_releases_as_well(queue, super_):
    held = queue.add("bob@dest.test", held=1)
    assert super_("-f", held.id) == [
        f"postsuper: {held.id}: expired",
        f"postsuper: {held.id}: released from hold",
        "postsuper: Force-expired: 1 message",
        "postsuper: Released from hold: 1 message",
    ]


def test_all_is_counted_and_not_named(queue, super_):
    for number in range(3):
        queue.add("bob@dest.test", shard=number)
    assert super_("-d", "ALL") == ["postsuper: Deleted: 3 messages"]
    assert super_("-d", "ALL") == ["postsuper: Deleted: 0 messages"]


def test_a_queues_name_limits_what_is_done(queue, super_):
    deferred = queue.add("bob@dest.test")
    queue.add("bob@dest.test", held=1)
    queue.add("bob@dest.test", owner="worker")
    assert super_("-d", "ALL", "deferred") == ["postsuper: Deleted: 1 message"]
    assert super_("-d", deferred.id, "hold") == ["postsuper: Deleted: 0 messages"]
    assert super_("-h", "ALL", "hold") == ["postsuper: Placed on hold: 0 messages"]
    assert super_("-d", "ALL", "hold", "active") == ["postsuper: Deleted: 2 messages"]


def test_what_is_asked_together_is_done_in_postfixs_order(queue, super_):
    queue.add("bob@dest.test")
    assert super_("-h", "ALL", "-d", "ALL") == [
        "postsuper: Deleted: 1 message",
        "postsuper: Placed on hold: 0 messages",
    ]


def test_ids_come_from_standard_input(queue, super_, monkeypatch):
    one, two, _three = [queue.add("bob@dest.test") for _ in range(3)]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{one.id}\n\n{two.id}\nbad*\n"))
    assert super_("-d", "-") == [
        "postsuper: warning: invalid mail queue id: bad*",
        f"postsuper: {one.id}: removed",
        f"postsuper: {two.id}: removed",
        "postsuper: Deleted: 2 messages",
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert super_("-d", "-") == ["postsuper: Deleted: 0 messages"]


@pytest.mark.parametrize("queue_id", ["123", "197A6D9F3C2B340", "ZZZ", "all", "F" * 40])
def test_an_id_that_is_not_queued_is_no_error(queue, super_, queue_id):
    queue.add("bob@dest.test")
    assert super_("-d", queue_id) == ["postsuper: Deleted: 0 messages"]


def test_maintenance_options_are_accepted(queue, super_):
    assert super_() == super_("-p") == super_("-s") == super_("-S", "-p", "-v") == []


def test_what_is_said_is_logged_too(queue, super_):
    message = queue.add("bob@dest.test")
    super_("-d", message.id)
    assert f"postfix/postsuper[{os.getpid()}]: {message.id}: removed\n" in queue.log.read_text()


def test_a_running_server_is_asked(queue, control, super_):
    control.answers += [{"changed": ["0ABC"]}]
    assert super_("-h", "0ABC") == ["postsuper: 0ABC: placed on hold", "postsuper: Placed on hold: 1 message"]
    assert control.requests == [
        {"verb": "hold", "ids": ["0ABC"], "queues": ["incoming", "active", "deferred"]}
    ]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-d", "ALL", "nosuch"], "fatal: invalid directory name: nosuch"),
        (["-z"], "invalid option -- 'z'"),
        (["-d"], "option requires an argument -- 'd'"),
        (["-z"], "fatal: usage: postsuper [-c config_dir] [-d queue_id (delete)]"),
    ],
)
def test_a_wrong_call_is_fatal(queue, capsys, args, text):
    assert run(str(queue.etc), args) == 1
    assert f"postsuper: {text}" in capsys.readouterr().err


def test_a_server_that_fails_is_fatal(queue, control, capsys):
    control.answers += [{"error": "worker 1 does not answer"}]
    assert run(str(queue.etc), ["-d", "ALL"]) == 1
    assert capsys.readouterr().err == "postsuper: fatal: worker 1 does not answer\n"


def test_only_the_super_user_may(queue, monkeypatch, capsys):
    monkeypatch.setattr(postsuper.os, "geteuid", lambda: 1000)
    assert run(str(queue.etc), ["-d", "ALL"]) == 1
    assert "fatal: use of this command is reserved for the superuser" in capsys.readouterr().err
