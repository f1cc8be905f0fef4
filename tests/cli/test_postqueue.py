import json
import os
import subprocess
import sys
import time

import pytest

from postroad.admin.queue import Listed, ListedRecipient
from postroad.cli.postqueue import as_json, as_text, run

WHY = "connect to nowhere[192.0.2.1]:25: Connection timed out"


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def listed(queue_name="deferred", *recipients, sender="alice@example.test", expired=False, size=309):
    people = [ListedRecipient(*r) for r in recipients or [("bob@dest.test", WHY)]]
    return Listed(queue_name, "197A6D9F3C2B340", 1795443671, size, expired, sender, people)


def test_an_empty_queue_is_one_line():
    assert list(as_text([])) == ["Mail queue is empty\n"]
    assert list(as_json([])) == []


def test_the_list_has_postfixs_columns():
    text = "".join(
        as_text(
            [listed("deferred", ("bob@dest.test", WHY), ("carol@dest.test", WHY)), listed("hold", size=2048)]
        )
    )
    assert text == (
        "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
        "197A6D9F3C2B340        309 Mon Nov 23 14:21:11 alice@example.test\n"
        "                      (connect to nowhere[192.0.2.1]:25: Connection timed out)\n"
        "                                               bob@dest.test\n"
        "                                               carol@dest.test\n"
        "\n"
        "197A6D9F3C2B340!      2048 Mon Nov 23 14:21:11 alice@example.test\n"
        "                      (connect to nowhere[192.0.2.1]:25: Connection timed out)\n"
        "                                               bob@dest.test\n"
        "\n"
        "-- 2 Kbytes in 2 Requests.\n"
    )


@pytest.mark.parametrize(
    ("name", "expired", "mark"),
    [("active", False, "*"), ("hold", True, "!#"), ("deferred", True, "#"), ("incoming", False, "")],
)
def test_the_status_stands_behind_the_id(name, expired, mark):
    lines = list(as_text([listed(name, expired=expired)]))
    assert lines[1].split()[0] == "197A6D9F3C2B340" + mark
    assert lines[-1] == "-- 0 Kbytes in 1 Request.\n"


def test_a_reason_is_printed_once_for_neighbours_that_share_it():
    people = [("a@x", ""), ("b@x", "why"), ("c@x", "why"), ("d@x", "other"), ("e@x", ""), ("f@x", "")]
    lines = [line.strip() for line in as_text([listed("deferred", *people)])]
    assert lines[2:-2] == [
        "a@x",
        "(why)",
        "b@x",
        "c@x",
        "(other)",
        "d@x",
        "(reason unavailable)",
        "e@x",
        "f@x",
    ]


def test_a_reason_longer_than_the_line_begins_at_its_start():
    lines = list(as_text([listed("deferred", ("a@x", "w" * 100))]))
    assert lines[2] == f"({'w' * 100})\n"


def test_json_has_postfixs_names_spaces_and_order():
    line = next(as_json([listed("deferred", ("bob@dest.test", ""), ("käthe@dest.test", WHY))]))
    assert line == (
        '{"queue_name": "deferred", "queue_id": "197A6D9F3C2B340", "arrival_time": 1795443671, '
        '"message_size": 309, "forced_expire": false, "sender": "alice@example.test", '
        '"recipients": [{"address": "bob@dest.test"}, {"address": "käthe@dest.test", '
        '"delay_reason": "connect to nowhere[192.0.2.1]:25: Connection timed out"}]}\n'
    )


def test_the_queue_is_listed_while_the_system_is_down(queue, capsys):
    message = queue.add("bob@dest.test", reason=WHY)
    assert run(str(queue.etc), ["-j"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["queue_id"] == message.id
    assert shown.err == "postqueue: warning: Mail system is down -- accessing queue directly\n"


def test_the_queue_is_listed_without_a_warning_while_it_runs(queue, control, capsys):
    queue.add("bob@dest.test")
    assert run(None, ["-c", str(queue.etc), "-p"]) == 0
    shown = capsys.readouterr()
    assert "bob@dest.test" in shown.out
    assert shown.err == ""


def test_flush_asks_the_server(queue, control, capsys):
    control.answers += [{"changed": []}, {"changed": ["197A6D9F3C2B340"]}, {"changed": []}]
    queue.configure("relay_domains = dest.test\n")
    assert run(str(queue.etc), ["-f"]) == 0
    assert run(str(queue.etc), ["-i", "197A6D9F3C2B340"]) == 0
    assert run(str(queue.etc), ["-s", "dest.test"]) == 0
    assert [(r["verb"], r["ids"], r.get("site")) for r in control.requests] == [
        ("flush", "ALL", None),
        ("flush", ["197A6D9F3C2B340"], None),
        ("flush", "ALL", "dest.test"),
    ]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-f"], "Cannot flush mail queue - mail system is down"),
        (["-i", "ABC"], "Cannot flush mail queue - mail system is down"),
        (["-i", "xx%"], 'Cannot flush queue ID - invalid name: "xx%"'),
        (["-s", "b@d"], 'Cannot flush mail queue - invalid destination: "b@d"'),
        (["-s", "dest.test"], 'Flush service is not configured for destination "dest.test"'),
        ([], "usage: postqueue -f | postqueue -i queueid"),
        (["-p", "extra"], "usage: postqueue"),
        (["-p", "-j"], "usage: postqueue"),
        (["-x"], "usage: postqueue"),
    ],
)
def test_what_cannot_be_done_is_fatal_with_69(queue, capsys, args, text):
    assert run(str(queue.etc), args) == 69
    assert f"postqueue: fatal: {text}" in capsys.readouterr().err


def test_a_refusal_of_the_server_is_told_with_its_status(queue, control, capsys):
    control.answers.append({"error": "not permitted", "code": 77})
    assert run(str(queue.etc), ["-f"]) == 77
    assert "postqueue: fatal: not permitted" in capsys.readouterr().err


def test_an_unreadable_configuration_is_fatal(tmp_path, capsys):
    assert run(str(tmp_path), ["-p"]) == 69
    assert f"postqueue: fatal: open {tmp_path}/main.cf: No such file" in capsys.readouterr().err


AS_NOBODY = """
import os, sys
sys.path[:0] = {path!r}
import postroad.cli.postqueue as p
import encodings.idna, postroad.admin.queue, postroad.admin.users, postroad.app.registry, postroad.base.config
import postroad.tables.matchlist, postroad.tables.context
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(p.run({etc!r}, {args!r}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize(
    ("config", "args", "status", "text"),
    [
        ("", ["-p"], 69, "Queue report unavailable - mail system is down"),
        (
            "authorized_mailq_users = eve\n",
            ["-p"],
            77,
            "nobody(65534) is not allowed to view the mail queue",
        ),
        (
            "authorized_flush_users = !nobody\n",
            ["-f"],
            77,
            "User nobody(65534) is not allowed to flush",
        ),
        ("authorized_flush_users = nobody\n", ["-f"], 69, "mail system is down"),
    ],
)
def test_an_ordinary_user_may_do_what_main_cf_says(queue, config, args, status, text):
    queue.configure(config)
    for path in (queue.etc, *queue.etc.parents):
        if path.owner() == "root" and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    queue.spool.chmod(0o755)
    code = AS_NOBODY.format(path=sys.path, etc=str(queue.etc), args=args)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, text in done.stderr) == (status, True), done.stderr
