"""Against Postfix's own test servers."""

import asyncio
import contextlib
import shutil
import socket
import subprocess

import pytest

from patience import until
from peers.harness import free_port
from postroad.net.mailhosts import Host

SINK = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
pytestmark = [
    pytest.mark.peer,
]


@contextlib.asynccontextmanager
async def sink(*options):
    port = free_port()

    def serves():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    process = subprocess.Popen([SINK, "-u", "nobody", *options, f"127.0.0.1:{port}", "100"])
    try:
        await until(serves)
        yield Host("sink.example", "127.0.0.1", port)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "options", [[], ["-p"], ["-e"], ["-8"]], ids=["all", "no pipelining", "no esmtp", "no 8bit"]
)
async def test_mail_reaches_smtp_sink(post, job_of, options):
    async with sink(*options) as host:
        made = post(hosts=[host])
        jobs = await asyncio.gather(*(made.deliver(job_of("a@x", "b@x", key=k)) for k in range(30)))
        assert all(o.status == "2.0.0" for job in jobs for o in job.outcomes)


async def test_lmtp_reaches_smtp_sink(post, job_of):
    async with sink("-L") as host:
        job = await post(hosts=[host], program="lmtp").deliver(job_of("a@x", "b@x"))
        assert [o.status for o in job.outcomes] == ["2.2.0", "2.2.0"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-r", "mail"], "(in reply to MAIL FROM command)"),
        (["-r", "rcpt"], "(in reply to RCPT TO command)"),
        (["-r", "data"], "(in reply to DATA command)"),
        (["-r", "."], "(in reply to end of DATA command)"),
        (["-q", "mail"], "while sending MAIL FROM"),
        (["-q", "data"], "while sending DATA command"),
    ],
)
async def test_what_smtp_sink_refuses_is_deferred(post, job_of, options, words):
    async with sink(*options) as host:
        ((status, text),) = await post(hosts=[host]).texts(job_of())
        assert status.startswith("4")
        assert text.endswith(words)
