"""``postroad trace`` beside a server that refused somebody."""

from __future__ import annotations

import json
import smtplib
import time

import pytest

from peers.harness import Postroad, a_place, until
from postroad.cli.trace import run

MAIN = """\
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_sender_access inline:{{bad@x.test=REJECT we know you}}, defer_if_reject, reject_unlisted_recipient
"""


@pytest.fixture(scope="module")
def server():
    with a_place() as place, Postroad(place, main=MAIN) as running:
        with smtplib.SMTP(running.host, running.port, "h.test", timeout=30) as client:
            client.sendmail("good@x.test", ["bob@example.test"], b"Message-ID: <one@x.test>\r\n\r\nhello\r\n")
            for sender, recipient in (
                ("bad@x.test", "bob@example.test"),
                ("good@x.test", "nobody@example.test"),
                ("good@x.test", "x@far.test"),
            ):
                client.docmd("RSET")
                client.mail(sender)
                client.rcpt(recipient)
        until(lambda: len(kept(running)) == 3, 30)
        until(lambda: "removed" in running.log(), 30)
        yield running


def kept(server: Postroad) -> list[dict]:
    return [
        json.loads(line)
        for path in (server.work / "data").glob("refusals-*.jsonl")
        for line in path.read_text().splitlines()
    ]


def test_a_restriction_its_list_and_the_lookup_are_named(server, capsys):
    assert run(str(server.etc), ["bad@x.test"]) == 0
    printed = capsys.readouterr().out.splitlines()
    today = time.strftime("%Y-%m-%d")
    assert printed[0].startswith(today[:4])
    assert "refused for good: 554 5.7.1 <bad@x.test>: Sender address rejected: we know you" in printed[0]
    assert "HELO h.test" in printed[1]
    assert printed[2] == "  from <bad@x.test> to <bob@example.test>"
    assert printed[3] == (
        "  decided by smtpd_recipient_restrictions 1: check_sender_access "
        "inline:{{bad@x.test=REJECT we know you}} (bad@x.test -> REJECT we know you)"
    )


def test_an_answer_in_the_place_of_another_names_both(server, capsys):
    assert run(str(server.etc), ["nobody@example.test"]) == 0
    printed = capsys.readouterr().out
    assert "put off: 450 4.7.0" in printed
    assert "decided by smtpd_recipient_restrictions 3: reject_unlisted_recipient" in printed
    assert "because of smtpd_recipient_restrictions 2: defer_if_reject" in printed


def test_a_client_has_all_of_it_and_the_newest_can_be_asked_for(server, capsys):
    assert run(str(server.etc), ["127.0.0.1", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["recipient"] for each in found if each["kind"] == "refusal"] == [
        "bob@example.test",
        "nobody@example.test",
        "x@far.test",
    ]
    assert any("disconnect from" in each["line"] for each in found if each["kind"] == "log")
    assert run(str(server.etc), ["127.0.0.1", "--json", "--last", "1"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["recipient"] for each in found if each["kind"] == "refusal"] == ["x@far.test"]


@pytest.mark.parametrize("what", ["<one@x.test>", "one@x.test", "bob@example.test"])
def test_a_message_is_followed_through_the_log(server, capsys, what):
    assert run(str(server.etc), [what]) == 0
    printed = capsys.readouterr().out
    assert str(server.work / "maillog") in printed
    assert "status=sent" in printed
    assert printed.rstrip().endswith("removed")


def test_nothing_found_is_1_and_said(server, capsys):
    assert run(str(server.etc), ["stranger@nowhere.test"]) == 1
    assert "nothing about address stranger@nowhere.test" in capsys.readouterr().out
    assert run(str(server.etc), ["stranger@nowhere.test", "--json"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "args", [[], ["a@b.test", "c@d.test"], ["?"], ["a@b.test", "--last", "x"], ["--nonsense"]]
)
def test_a_wrong_call_is_2(capsys, args):
    assert run("/nonexistent", args) == 2
    assert "usage:" in capsys.readouterr().err


def test_what_cannot_be_read_is_1(tmp_path, capsys):
    assert run(str(tmp_path / "none"), ["a@b.test"]) == 1
    assert "no main.cf" in capsys.readouterr().err
    (tmp_path / "main.cf").write_text(f"data_directory = {tmp_path}\n")
    (tmp_path / "refusals-0.jsonl").mkdir()
    assert run(str(tmp_path), ["a@b.test"]) == 1
    assert "refusals-0.jsonl" in capsys.readouterr().err


def test_help(capsys):
    assert run(None, ["--help"]) == 0
    assert "refusal_record_size" in capsys.readouterr().out
