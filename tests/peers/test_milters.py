"""A running server with milters: OpenDKIM, and one that a test scripts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from filters.stub import CONTINUE, DIE, StubMilter, number, serving
from filters.test_opendkim import _CONF, _keys
from peers.harness import Postroad, a_place, free_port, message, until
from peers.programs import running

pytestmark = pytest.mark.peer
LARGE = "x" * 70 + "\r\n.dot\r\n"


@contextlib.contextmanager
def stub(answers=None, **rest) -> Iterator[StubMilter]:
    """Run a scripted milter in a thread of its own."""
    milter, ready = StubMilter(answers, **rest), threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(milter):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield milter
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


EDITS = [
    b"i" + number(1) + b"X-In\0serted\0", b"m" + number(1) + b"Subject\0changed\0", b"hX-Add\0ed\0",
    b"+<bob@example.test>\0", b"e<new@client.example>\0",
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 3000], ids=["in memory", "a file"])
@pytest.mark.parametrize("body", [False, True])
def test_what_a_milter_wants_is_done(place: Path, size: int, body: bool) -> None:
    text = b".body" * (3 * size)
    replaced = [b"bnew\n", b"b" + text] if body else []
    with stub({"E": [*EDITS, *replaced, CONTINUE]}) as milter:
        main = f"smtpd_milters = {milter.name}\nqueue_inline_limit = 20000"
        with Postroad(place, main=main) as server:
            server.send("s@client.example", "alice@example.test", message(body=LARGE * size))
            for user in ("alice", "bob"):
                (found,) = server.wait_mail(user)
                assert found.startswith(b"Return-Path: <new@client.example>\n")
                head, _, rest = found.partition(b"\n\n")
                assert b"\nX-In: serted\n" in head
                assert b"\nSubject: changed\n" in head
                assert head.endswith(b"\nX-Add: ed")
                assert rest == (b"new\n" + text + b"\n" if body else LARGE.replace("\r", "").encode() * size)
            server.wait_empty()
            assert list((server.work / "queue").glob("shard-*/bodies/*")) == []
    assert "".join(letter for letter, _ in milter.seen).startswith("ODCDHDMDRDT")


@pytest.mark.parametrize("size", [1, 3000], ids=["in memory", "a file"])
def test_refused_discarded_held_and_unharmed(place: Path, size: int) -> None:
    words = {
        "refuse@x.test": [*EDITS, b"y554 5.7.1 no thanks\0"],
        "drop@x.test": [*EDITS, b"d"],
        "hold@x.test": [b"qwhy\0", CONTINUE],
        "die@x.test": [*EDITS, b"bhalf", DIE],
    }
    now = []

    def mail(data: bytes):
        now[:] = [data]
        return [CONTINUE]

    def end(data: bytes):
        return next((word for who, word in words.items() if who.encode() in now[0]), [CONTINUE])

    with stub({"M": mail, "E": end}) as milter:
        main = f"smtpd_milters = {{ {milter.name}, default_action=accept }}\nqueue_inline_limit = 20000"
        with Postroad(place, main=main) as server:
            content = message(body=LARGE * size)
            with pytest.raises(smtplib.SMTPDataError) as caught:
                server.send("refuse@x.test", "alice@example.test", content)
            assert caught.value.args == (554, b"5.7.1 no thanks")
            server.send("drop@x.test", "alice@example.test", content)
            server.send("hold@x.test", "alice@example.test", content)
            assert [each["queue_name"] for each in server.queue()] == ["hold"]
            server.send("die@x.test", "alice@example.test", content)
            (found,) = server.wait_mail("alice")
            assert b"Subject: A test" in found
            assert found.endswith(b"\n\n" + LARGE.replace("\r", "").encode() * size)
            assert b"X-" not in found.partition(b"\nReceived")[2].partition(b"\n\n")[0]
            assert len(server.wait_log("milter-(reject|discard|hold): END-OF-MESSAGE from ")) == 3
            assert "reject: END-OF-MESSAGE" not in server.log().replace("milter-reject", "")
            left = 1 if size > 1 else 0  # that which is held
            until(lambda: len(list((server.work / "queue").glob("shard-*/bodies/*"))) == left)


def test_refusals_in_the_session(place: Path) -> None:
    with (
        stub({"R": [b"t"], "U": [b"y500 5.5.9 what\0"]}) as milter,
        Postroad(place, main=f"smtpd_milters = {milter.name}") as server,
    ):
        with server.connect() as client:
            client.ehlo()
            assert client.docmd("FOO bar") == (500, b"5.5.9 what")
            client.mail("s@x.test")
            assert client.rcpt("alice@example.test") == (
                451,
                b"4.7.1 Service unavailable - try again later",
            )
        (line,) = server.wait_log("milter-reject: RCPT")
        assert re.search(
            r"smtpd\[\d+\]: NOQUEUE: milter-reject: RCPT from \S+: 451 4.7.1 Service unavailable - try again"
            r" later; from=<s@x.test> to=<alice@example.test> proto=ESMTP helo=<client.example>$",
            line,
        )
        assert not re.search(": reject: RCPT", server.log())


def test_mail_of_a_local_user_is_signed_by_opendkim() -> None:
    with a_place() as place:
        _keys(place)
        (place / "internal").write_text("127.0.0.1\n")
        (place / "conf").write_text(_CONF.format(place=place))
        port = free_port()
        command = ["opendkim", "-f", "-x", str(place / "conf"), "-p", f"inet:{port}@127.0.0.1"]
        with running(command, ("127.0.0.1", port), place / "out") as process:
            main = f"non_smtpd_milters = inet:127.0.0.1:{port}\nmyorigin = example.org\nsmtpd_milters = $non_smtpd_milters"
            with Postroad(place, main=main) as server:
                done = server.run(
                    "sendmail", "-f", "s@example.org", "alice@example.test", stdin="Subject: x\n\nHello\n"
                )
                assert done.returncode == 0, done.stderr
                (found,) = server.wait_mail("alice")
                assert (
                    b"\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=sel;" in found
                )
                server.send("s@example.org", "bob@example.test", message(From="s@example.org"))
                (found,) = server.wait_mail("bob")
                assert b"\nDKIM-Signature: v=1;" in found
            process.kill()


@pytest.mark.parametrize("answers", [{"E": [b"hX-Add\0ed\0", CONTINUE]}, {"R": [b"r"]}])
def test_our_own_notices_go_through_the_milters_and_are_never_lost(place: Path, answers) -> None:
    with stub(answers) as milter:
        main = (
            f"non_smtpd_milters = {milter.name}\ninternal_mail_filter_classes = bounce\n"
            "transport_maps = inline:{{bad.test=error:5.1.1 no}}\n"
            "virtual_alias_maps = inline:{list@example.test=x@bad.test}"
        )
        with Postroad(place, main=main) as server:
            server.send("alice@example.test", "list@example.test", message())
            (found,) = server.wait_mail("alice")
            assert b"\nSubject: Undelivered Mail Returned to Sender\n" in found
            assert (b"\nX-Add: ed\n\n" in found) is ("E" in answers)
    assert milter.data("M") == [b"\0"]
    assert milter.data("R") == [b"alice@example.test\0"]
