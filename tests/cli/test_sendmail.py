import io
import os
import pwd
import sys
import time

import pytest

from postroad.cli import sendmail
from postroad.store.reader import ShardReader

LOGIN = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def call(monkeypatch):
    """Call sendmail with an input; its exit status."""

    def run(directory, *args, text=b"Subject: x\n\nhello\n", name="") -> int:
        monkeypatch.setenv("NAME", name)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        return sendmail.run(str(directory), list(args))

    return run


# --- with a server


def test_a_message_is_delivered(running, call, capsys):
    text = b"Subject: x\n\n.dot\n..\nf\xc3\xbcr\rcr\nend"
    assert call(running.etc, "-i", "user@example.test", text=text) == 0
    found = running.arrived()
    assert b"(Postfix, from userid %d)\n" % os.getuid() in found
    assert found.endswith(b"\n\n.dot\n..\nf\xc3\xbcr cr\nend\n")
    assert b"\nSubject: x\n" in found
    assert f"{LOGIN}@example.test".encode() in found.partition(b"\nFrom: ")[2].partition(b"\n")[0]
    assert capsys.readouterr() == ("", "")


def test_a_lone_dot_ends_the_message(running, call):
    assert call(running.etc, "user", text=b"Subject: x\n\none\n.\ntwo\n") == 0
    assert running.arrived().endswith(b"\n\none\n")


def test_the_sender_and_the_full_name_are_ours_to_choose(running, call):
    assert call(running.etc, "-F", "Grüße, Al", "-f", "<al@other.test>", "user") == 0
    found = running.arrived()
    assert found.startswith(b"Return-Path: <al@other.test>\n")
    assert b"\nFrom: =?utf-8?B?R3LDvMOfZSwgQWw=?= <al@other.test>\n" in found


def test_the_name_of_the_environment_is_used(running, call):
    assert call(running.etc, "-f", "al", "user", name="Al Ias") == 0
    assert b"\nFrom: Al Ias <al@example.test>\n" in running.arrived()


def test_the_null_sender_is_allowed(running, call):
    assert call(running.etc, "-f", "<>", "user") == 0
    found = running.arrived()
    assert found.startswith(b"Return-Path: <>\n")
    assert b"\nFrom: MAILER-DAEMON" in found


def test_recipients_are_taken_from_the_header(running, call):
    text = b"To: User <user@example.test>\nBcc: (hidden) you\n\nhello\n"
    assert call(running.etc, "-t", text=text) == 0
    for user in ("user", "you"):
        found = running.arrived(user)
        assert b"you" not in found.partition(b"\nTo: ")[2]
        assert b"\nBcc" not in found


def test_recipients_of_the_command_line_are_added_to_those_of_the_header(running, call):
    assert call(running.etc, "-t", "you", text=b"To: user\n\nhello\n") == 0
    assert running.arrived("you")
    assert b"\nTo: user@example.test\n" in running.arrived()


def test_no_recipient_of_a_long_list_is_lost(queue, call):
    queue.configure(f"mail_owner = {LOGIN}\n")
    header = ",\n ".join(f"u{n} <u{n}@example.test>" for n in range(5000))
    assert call(queue.etc, "-t", text=f"To: {header}\n\nx\n".encode()) == 0
    reader = ShardReader(queue.spool / "shard-maildrop")
    assert sum(len(message.recipients) for message in reader.find()) == 5000
    reader.close()


def test_smtp_is_spoken_on_standard_input(running, monkeypatch):
    ours, source = os.pipe()
    sink, theirs = os.pipe()
    os.write(source, b"MAIL FROM:<>\r\nRCPT TO:<user@example.test>\r\nDATA\r\n\r\nbs\r\n.\r\nQUIT\r\n")
    monkeypatch.setattr(sys, "stdin", os.fdopen(ours))
    with os.fdopen(theirs, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert sendmail.run(running.etc, ["-bs"]) == 0
    monkeypatch.undo()
    os.close(source)
    assert b"250 2.0.0 Ok: queued as" in os.read(sink, 4096)
    os.close(sink)
    assert running.arrived().endswith(b"\n\nbs\n")


def test_the_queue_is_listed(running, call, capsys):
    until = time.monotonic() + 10
    shown = ""
    while "queue is empty" not in shown and time.monotonic() < until:  # an earlier test's mail may be leaving
        assert call(running.etc, "-bp") == 0
        shown = capsys.readouterr().out
    assert "queue is empty" in shown


# --- without


@pytest.mark.parametrize(
    ("args", "text", "status", "said"),
    [
        ((), b"", 64, "Recipient addresses must be specified on the command line or via the -t option"),
        (("-Z",), b"", 64, "usage: sendmail [options]"),
        (("a@b", "-t"), b"", 64, "hyphen"),
        (("-t",), b"Subject: x\n\nTo: a\n", 65, "No recipient addresses found in message header"),
        (("()",), b"x\n", 65, "no recipient address"),
        (("-bv", "a@b"), b"x\n", 69, "not available"),
        (("a@b",), b"x" * 200, 69, "message file too big"),
    ],
)
def test_what_is_wrong_is_said(queue, call, capsys, args, text, status, said):
    queue.configure("message_size_limit = 100\n")
    assert call(queue.etc, *args, text=text) == status
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("sendmail: fatal: ")
    assert said in error


def test_a_directory_without_a_configuration_is_78(tmp_path, call, capsys):
    assert call(tmp_path, "a@b") == 78
    assert "main.cf: No such file or directory" in capsys.readouterr().err


def test_a_user_may_name_only_directories_that_are_listed(queue, tmp_path, call, monkeypatch, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "main.cf").write_text("message_size_limit = 1\n")
    args = ["-C", str(other), "a@b"]
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert call(queue.etc, *args) == 77
    assert "unauthorized configuration directory name" in capsys.readouterr().err
    assert call(other, "-C", str(other / "main.cf"), "-f", "x", "a@b") == 69
    for name in ("alternate_config_directories", "multi_instance_directories"):
        queue.configure(f"{name} = {other}\n")
        assert call(queue.etc, "-f", "x", *args) == 69
    queue.configure("")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert call(queue.etc, *args) == 69


def test_who_may_not_hand_in_mail_is_77(queue, call, capsys):
    queue.configure(f"authorized_submit_users = !{LOGIN}, static:all\n")
    assert call(queue.etc, "a@b") == 77
    assert f"User {LOGIN}({os.getuid()}) is not allowed to submit mail" in capsys.readouterr().err
    queue.configure("authorized_submit_users = fail:down\n")
    assert call(queue.etc, "a@b") == 75


def test_a_message_waits_for_the_server_to_start(queue, call, capsys):
    queue.configure(f"mail_owner = {LOGIN}\n")
    assert call(queue.etc, "user") == 0
    assert "queued and goes out when it starts" in capsys.readouterr().err
    reader = ShardReader(queue.spool / "shard-maildrop")
    assert [r.address for m in reader.find() for r in m.recipients] == ["user@mx.example.test"]
    reader.close()


@pytest.mark.parametrize(
    "ruin", [lambda spool: spool.rmdir(), lambda spool: (spool / "shard-maildrop").touch()]
)
def test_a_queue_that_cannot_be_written_is_75(queue, call, capsys, ruin):
    queue.configure(f"mail_owner = {LOGIN}\n")
    ruin(queue.spool)
    assert call(queue.etc, "user") == 75
    assert "sendmail: fatal: " in capsys.readouterr().err


def test_what_nobody_thought_of_is_75(queue, call, monkeypatch, capsys):
    monkeypatch.setattr("postroad.admin.submit.submit", None)
    monkeypatch.setattr("postroad.admin.dialogue.connect_local", None)
    assert call(queue.etc, "user") == 75
    assert "internal error" in capsys.readouterr().err


def test_standalone_mode_without_a_server_says_so_in_smtp(queue, capsys, monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        monkeypatch.setattr(sys.stdout, "fileno", lambda: 1, raising=False)
        assert sendmail.run(str(queue.etc), ["-bs"]) == 75
    assert capsys.readouterr().out == "421 4.3.2 The mail system is down\r\n"


def test_ignored_modes_do_nothing(queue, call):
    assert call(queue.etc, "-bh") == 0


def test_help_is_printed(capsys):
    assert sendmail.run("/nonexistent", ["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: sendmail")
