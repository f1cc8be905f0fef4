import time

import pytest

from postroad.cli.postcat import lines_of, run
from postroad.store.envelope import pack


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def cat(queue, capfdbinary):
    def call(*args):
        assert run(str(queue.etc), ["-q", *args]) == 0
        return capfdbinary.readouterr().out.decode()

    return call


SHOWN = """*** ENVELOPE RECORDS {name} ***
message_size: {size:15d} {offset:15d}               2               0 {size:15d}               0
message_arrival_time: Mon Nov 23 14:21:11 2026
create_time: Mon Nov 23 14:21:11 2026
sender: alice@example.test
named_attribute: dsn_orig_rcpt=rfc822;bob@dest.test
named_attribute: dsn_notify_flags=6
original_recipient: bob@dest.test
recipient: bob@dest.test
named_attribute: dsn_orig_rcpt=rfc822;carol@dest.test
named_attribute: dsn_notify_flags=6
original_recipient: carol@dest.test
recipient: carol@dest.test
*** MESSAGE CONTENTS {name} ***
Received: by mx.example.test (Postfix, from userid 0)
	id X
Subject: one

body line
.dot
last
*** HEADER EXTRACTED {name} ***
*** MESSAGE FILE END {name} ***
"""


def test_everything_is_shown_as_postfix_shows_it(queue, cat):
    message = queue.add("bob@dest.test", "carol@dest.test")
    name = f"deferred/{message.id[0]}/{message.id}"
    offset = int(next(line for line in cat("-o", message.id).splitlines() if "Received:" in line)[:9])
    assert cat(message.id) == SHOWN.format(name=name, size=message.size, offset=offset)


def test_header_and_body_come_alone_and_together(queue, cat):
    message = queue.add("bob@dest.test", held=1)
    header = "Received: by mx.example.test (Postfix, from userid 0)\n\tid X\nSubject: one\n"
    body = "\nbody line\n.dot\nlast\n"
    assert cat("-h", message.id) == header
    assert cat("-b", message.id) == body
    assert cat("-bh", message.id) == header + body


def test_the_envelope_alone_has_its_marks(queue, cat):
    message = queue.add("bob@dest.test", owner="worker")
    lines = cat("-e", message.id).splitlines()
    assert lines[0] == f"*** ENVELOPE RECORDS active/{message.id} ***"
    assert lines[-3:] == [
        f"*** {mark} active/{message.id} ***"
        for mark in ("MESSAGE CONTENTS", "HEADER EXTRACTED", "MESSAGE FILE END")
    ]
    assert "Subject" not in "".join(lines)


def test_offsets_and_types_are_those_of_a_queue_file(queue, cat):
    message = queue.add("bob@dest.test", sender="")
    lines = cat("-do", message.id).splitlines()
    assert lines[1].startswith("        0  67 message_size: ")
    assert lines[2].startswith("       97  84 message_arrival_time: ")
    assert lines[3].startswith("      116  65 create_time: ")
    assert lines[4] == "      140  83 sender: "
    assert lines[5] == "      142  65 named_attribute: dsn_orig_rcpt=rfc822;bob@dest.test"
    subject = next(line for line in lines if line.endswith("Subject: one"))
    assert subject[9:14] == "  78 "


def test_verbose_names_the_text(queue, cat):
    assert "regular_text: Subject: one\n" in cat("-v", queue.add("bob@dest.test").id)


def test_done_recipients_and_attributes_are_named(queue, cat):
    message = queue.add("bob@dest.test")
    message.recipients[0].done = True
    message.attributes["sasl_username"] = "carol"
    message.eight_bit, message.envid, message.ret = True, "id1", "FULL"
    with queue.shard() as shard, shard.backlog.db:
        shard.backlog.db.execute("UPDATE message SET envelope = ?, expired = 1", (pack(message),))
    text = cat("-e", message.id)
    for line in (
        "named_attribute: sasl_username=carol",
        "named_attribute: encoding=8bit",
        "done_recipient: bob@dest.test",
        "named_attribute: dsn_envelope_id=id1",
        "named_attribute: dsn_ret_flags=1",
    ):
        assert f"{line}\n" in text
    assert "expired" not in text


def test_a_content_filter_has_a_record_of_its_own(queue, cat):
    message = queue.add("bob@dest.test")
    message.attributes = {"content_filter": "smtp:[127.0.0.1]:10024", "rewrite_context": "local"}
    with queue.shard() as shard, shard.backlog.db:
        shard.backlog.db.execute("UPDATE message SET envelope = ?", (pack(message),))
    lines = cat("-d", "-e", message.id).splitlines()
    at = next(number for number, line in enumerate(lines) if "create_time" in line)
    assert lines[at + 1 : at + 3] == [
        " 76 content_filter: smtp:[127.0.0.1]:10024",
        " 65 named_attribute: rewrite_context=local",
    ]
    with queue.shard() as shard:
        shard.backlog.requeue(None, now=1.0)
    assert "content_filter" not in cat("-e", message.id)


def test_bytes_that_are_no_text_are_passed_on(queue, capfdbinary):
    message = queue.add("bob@dest.test", text=b"X: \xff\xfe\r\n\r\n\x00\x80\r\n")
    assert run(str(queue.etc), ["-q", "-bh", message.id]) == 0
    assert capfdbinary.readouterr().out == b"X: \xff\xfe\n\n\x00\x80\n"


def test_several_messages_are_shown_in_turn(queue, cat):
    ids = [queue.add("bob@dest.test").id for _ in range(2)]
    text = cat("-e", *ids)
    assert text.count("ENVELOPE RECORDS") == 2


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-q", "0123ABC"], "fatal: open queue file 0123ABC: No such file or directory"),
        (["-q", "XYZ"], "fatal: open queue file XYZ: No such file or directory"),
        (["-q", "bad!id"], "fatal: bad mail queue ID: bad!id"),
        (["-q", "../../etc/passwd"], "fatal: bad mail queue ID: ../../etc/passwd"),
        (["/etc/passwd"], "fatal: open /etc/passwd: this queue has no queue files"),
        (["-z"], "invalid option -- 'z'"),
    ],
)
def test_what_cannot_be_shown_is_fatal(queue, capsys, args, text):
    queue.add("bob@dest.test")
    assert run(str(queue.etc), args) == 1
    assert f"postcat: {text}" in capsys.readouterr().err


def test_a_message_that_lost_its_content_is_fatal(queue, capsys):
    message = queue.add("bob@dest.test")
    with queue.shard() as shard, shard.backlog.db:
        shard.backlog.db.execute("DELETE FROM body")
    assert run(str(queue.etc), ["-q", message.id]) == 1
    assert "the content is missing" in capsys.readouterr().err


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_lines_are_found_however_the_text_is_cut(size):
    class Cut:
        data = None
        size = 17

        def pieces(self, _size=0):
            whole = b"one\r\n\r\ntwo\r\nthree"
            yield from (whole[at : at + size] for at in range(0, len(whole), size))

    assert list(lines_of(Cut())) == [b"one", b"", b"two", b"three"]
