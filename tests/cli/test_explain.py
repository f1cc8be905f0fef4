"""``postroad explain`` beside the server itself: both decide a session, and have to agree."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from peers.harness import Postroad, a_place
from postroad.app.explain import Question, explain
from postroad.app.registry import registry
from postroad.base.config import find_facts, load
from postroad.cli.explain import run

MAIN = """\
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = postroad
smtpd_sasl_path = {etc}/users
smtpd_helo_required = yes
smtpd_restriction_classes = strict
strict = reject_unknown_client_hostname, check_helo_access inline:{{bad.test=REJECT bad helo}}
smtpd_client_restrictions = check_client_access cidr:{etc}/clients
smtpd_helo_restrictions = reject_invalid_helo_hostname, warn_if_reject reject_non_fqdn_helo_hostname
smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access hash:{etc}/senders
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access hash:{etc}/recipients, strict
smtpd_data_restrictions = reject_multi_recipient_bounce
virtual_alias_maps = inline:{{info@example.test=bob@example.test}}
message_size_limit = 5000
mynetworks = 10.0.0.0/8
recipient_delimiter = +
"""
FILES = {
    "users": "",
    "clients": "198.51.100.0/24 REJECT not from there\n203.0.113.0/24 DEFER_IF_REJECT it depends\n",
    "senders": "later.test DEFER_IF_PERMIT come again\nspam@x.test 550 5.7.1 no spam\nfree@x.test strict\n",
    "recipients": "bob@example.test DUNNO\nhold@example.test HOLD\nalice+x@example.test reject_plaintext_session\n",
}
BASE = {"client": "192.0.2.1", "name": "c.test", "helo": "c.test", "sender": "a@x.test", "recipients": ("bob@example.test",)}  # fmt: skip
SESSIONS = [
    {},
    {"recipients": ("bob@example.test", "x@far.test", "nobody@example.test")},
    {"client": "10.1.2.3", "recipients": ("x@far.test",)},
    {"client": "198.51.100.7"},
    {"client": "203.0.113.7", "recipients": ("bob@example.test", "x@far.test")},
    {"name": "unknown"},
    {"helo": "bad.test"},
    {"helo": "nodots"},
    {"helo": "under_score.test"},
    {"sender": ""},
    {"sender": "", "recipients": ("bob@example.test", "alice@example.test")},
    {"sender": "nodomain"},
    {"sender": "u@later.test", "recipients": ("bob@example.test", "x@far.test")},
    {"sender": "spam@x.test"},
    {"sender": "free@x.test", "helo": "bad.test"},
    {"recipients": ("alice+x@example.test", "alice+y@example.test", "info@example.test")},
    {"recipients": ("postmaster", "a%far.test@example.test", "<>", "x y@example.test")},
    {"user": "eva", "recipients": ("x@far.test",)},
    {"client": "2001:db8::7", "recipients": ("hold@example.test", "BOB@EXAMPLE.TEST")},
    {"size": 6000},
]


@pytest.fixture(scope="module")
def server():
    with a_place() as place, Postroad(place, main=MAIN, files=FILES) as running:
        yield running


async def said_by(server: Postroad, question: Question) -> list[tuple[str, str]]:
    """Return what the server answers, command by command, to a client that XCLIENT makes up."""
    reader, writer = await asyncio.open_connection(server.host, server.port)

    async def reply() -> str:
        lines = []
        while True:
            line = (await asyncio.wait_for(reader.readline(), 30)).decode().rstrip("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                return f"{line[:3]} " + "\n".join(each[4:] for each in lines)

    async def say(line: str) -> str:
        writer.write(line.encode() + b"\r\n")
        return await reply()

    await reply()
    await say("EHLO test")
    name = question.name if question.name != "unknown" else "[UNAVAILABLE]"
    address = f"IPV6:{question.client}" if ":" in question.client else question.client
    login = f" LOGIN={question.user}" if question.user else ""
    xclient = f"XCLIENT NAME={name} REVERSE_NAME={name} ADDR={address}{login}"
    said = [("CONNECT", await say(xclient))]
    size = f" SIZE={question.size}" if question.size else ""
    for line in (f"EHLO {question.helo}", f"MAIL FROM:<{question.sender}>{size}"):
        answer = await say(line)
        said.append((line, answer.partition("\n")[0]))
    if said[-1][1].startswith("250"):
        replies = [(f"RCPT TO:<{each}>", await say(f"RCPT TO:<{each}>")) for each in question.recipients]
        said += replies
        if any(answer.startswith("250") for _, answer in replies):
            said.append(("DATA", await say("DATA")))
    writer.close()
    return said


@pytest.mark.parametrize("session", SESSIONS, ids=lambda each: " ".join(map(str, each.values())) or "plain")
async def test_it_says_what_the_server_says(server, session):
    question = Question(**(BASE | session))
    config = load(str(server.etc), registry(), find_facts(str(server.etc)))
    explained = await explain(config, question)
    ours = [(each.command, each.reply) for each in explained.said if each.command != "end of data"]
    assert ours == await said_by(server, question)
    for each in explained.said:
        refused_by_rule = each.code >= 400 and each.steps
        assert bool(each.decided) is bool(refused_by_rule), each


def explained(server: Postroad, *args: str) -> int:
    words = ("--client", "192.0.2.1", "--name", "c.test", "--helo", "c.test", "--from", "a@x.test")
    return run(str(server.etc), [*words, *args])


@pytest.mark.parametrize(
    ("recipients", "status"),
    [
        (["bob@example.test"], 0),
        (["bob@example.test", "x@far.test"], 1),
        (["nobody@example.test"], 1),
    ],
)
def test_the_status_says_what_becomes_of_it(server, capsys, recipients, status):
    assert explained(server, *(word for each in recipients for word in ("--to", each))) == status
    assert "RCPT TO:<" in capsys.readouterr().out


def test_mail_that_has_to_come_again_is_75(server, capsys):
    args = ["--client", "192.0.2.1", "--name", "c.test", "--from", "u@later.test", "--to", "bob@example.test"]
    assert run(str(server.etc), args) == 75
    printed = capsys.readouterr().out
    assert "not now: 450 4.7.1 <u@later.test>: Sender address rejected: come again" in printed
    assert f"decided by smtpd_sender_restrictions 2: check_sender_access hash:{server.etc}/senders" in printed
    assert "(later.test -> DEFER_IF_PERMIT come again)" in printed


def test_json_is_one_object(server, capsys):
    assert explained(server, "--to", "info@example.test", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == 0
    assert found["destinations"][0]["targets"][0]["address"] == "bob@example.test"
    assert found["said"][3]["steps"][0]["outcome"] == "goes on"


def test_nothing_is_left_behind_by_asking(server):
    before = _files(server)
    asyncio.run(_ask(server))
    assert _files(server) == before
    assert server.queue() == []


def _files(server: Postroad) -> list[str]:
    """Return the server's files but those that it writes in its own time."""
    every = (str(path) for path in Path(server.work).rglob("*"))
    return sorted(path for path in every if "shard" not in path and "refusals" not in path)


async def _ask(server: Postroad) -> None:
    config = load(str(server.etc), registry(), find_facts(str(server.etc)))
    assert (await explain(config, Question(**BASE))).status == 0


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([], "--client is missing"),
        (["--client", "host", "--from", "a", "--to", "b"], "not an IP address"),
        (["--client", "::1", "--from", "a", "--to", "b", "--size", "big"], "not a number"),
        (["--client", "::1", "--from", "a", "--to", "b\r\nRSET"], "line's end"),
        (["--client", "::1", "--from", "a", "--to", "b", "more"], "unexpected more"),
        (["--nonsense"], "not recognized"),
    ],
)
def test_a_wrong_call_is_2(capsys, args, why):
    assert run("/nonexistent", args) == 2
    assert why in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_no_verdict(tmp_path, capsys):
    args = ["--client", "::1", "--from", "", "--to", "b@c.test"]
    assert run(str(tmp_path), args) == 75
    assert "cannot be used" in capsys.readouterr().err
    (tmp_path / "main.cf").write_text("smtpd_recipient_restrictions = check_recipient_access nosuch:table\n")
    (tmp_path / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    assert run(str(tmp_path), args) == 75
    assert "nosuch" in capsys.readouterr().err
    (tmp_path / "main.cf").write_text("myhostname = a.test\n")
    assert run(str(tmp_path), [*args, "--service", "587"]) == 75
    assert "no smtpd service 587" in capsys.readouterr().err


def test_help(capsys):
    assert run(None, ["--help"]) == 0
    assert "policy servers and Python functions" in capsys.readouterr().out
