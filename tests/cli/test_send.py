import email
import email.policy
import json
import re

import pytest

from postroad.cli import send


def message_of(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def test_a_message_goes_by_the_local_socket(running, capsys, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\0\1")
    args = ["--to", "Üser <user@example.test>", "--subject", "你好", "--body", "Grüße", "--html", "<b>x</b>"]
    assert send.run(running.etc, [*args, "--attach", str(tmp_path / "a.bin")]) == 0
    assert re.fullmatch(r"250 2\.0\.0 Ok: queued as [0-9A-F]{15}\n", capsys.readouterr().out)
    found = message_of(running.arrived())
    assert found["Subject"] == "你好"
    assert found.get_body(("plain",)).get_content().strip() == "Grüße"
    assert [part.get_filename() for part in found.iter_attachments()] == ["a.bin"]


def test_a_message_goes_by_tcp_and_blind_recipients_stay_unseen(running, capsys):
    args = ["--server", f"127.0.0.1:{running.port}", "--from", "a@other.test", "--body", "x", "--json"]
    assert send.run(None, [*args, "--cc", "user@example.test", "--bcc", "you@example.test"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sent"]
    assert answer["queue_id"] in answer["replies"][0]
    assert answer["recipients"] == ["user@example.test", "you@example.test"]
    for user in ("user", "you"):
        found = running.arrived(user)
        assert found.startswith(b"Return-Path: <a@other.test>")
        assert b"you@example.test" not in found.partition(b"\nCc:")[2]


def test_an_address_in_another_script_needs_smtputf8(running, capsys):
    args = ["--server", f"127.0.0.1:{running.port}", "--from", "ä@other.test", "--to", "user@example.test"]
    assert send.run(None, [*args, "--body", "x"]) == 0
    found = running.arrived()
    assert "From: ä@other.test".encode() in found
    assert b"with UTF8SMTP" in found


def test_a_refusal_is_shown(running, capsys):
    args = ["--server", f"127.0.0.1:{running.port}", "--to", "nobody@example.test", "--body", "x"]
    assert send.run(None, args) == 1
    assert "550 5.1.1 <nobody@example.test>" in capsys.readouterr().err
    assert send.run(None, [*args, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["sent"], answer["what"]) == (False, "<nobody@example.test>")


def test_a_server_that_is_not_there_is_worth_another_try(queue, capsys):
    assert send.run(str(queue.etc), ["--to", "a@b", "--body", "x"]) == 75
    assert "No such file" in capsys.readouterr().err


def test_a_dry_run_prints_the_message(capfdbinary):
    assert (
        send.run(None, ["--to", "a@b", "--from", "c@d", "--body", "text", "--header", "X-A: 1", "--dry-run"])
        == 0
    )
    found = message_of(capfdbinary.readouterr().out)
    assert (found["To"], found["X-A"], found.get_content()) == ("a@b", "1", "text\n")


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--to", "()"],
        ["--to", "a@b\nBcc: c@d"],
        ["--to", "a@b", "--header", "no colon"],
        ["--to", "a@b", "--header", "Bcc: c@d"],
        ["--to", "a@b", "--attach", "/nonexistent"],
        ["--to", "a@b", "--html", "@/nonexistent"],
        ["--to", "a@b", "--lmtp"],
        ["--to", "a@b", "--starttls"],
        ["--to", "a@b", "--unknown"],
    ],
)
def test_wrong_usage_is_2(queue, args, capsys):
    assert send.run(str(queue.etc), [*args, "--body", "x"]) == 2
    assert capsys.readouterr().err


def test_a_directory_without_a_configuration_is_wrong_usage(tmp_path, capsys):
    assert send.run(str(tmp_path), ["--to", "a@b", "--body", "x"]) == 2


def test_help_is_printed(capsys):
    assert send.run(None, ["--help"]) == 0
    assert "--attach" in capsys.readouterr().out
