"""The worker process, with the test in the supervisor's place."""

import asyncio
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys

import pytest
from cryptography import x509

from app.texts import MAIN, MASTER
from peers.certificates import self_signed
from peers.harness import free_port
from peers.tlsends import pem
from postroad.app.certificates import Certificates
from postroad.app.channel import Channel
from postroad.net.counts import make_table


class Supervisor:
    def __init__(self, place):
        self.place = place
        self.port = free_port()
        owner = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        self.owner = ["nobody", *owner]
        for name in ("queue", "log"):
            (place / name).mkdir()
            os.chown(place / name, *owner)
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.submit = socket.create_server(str(place / "submit"), family=socket.AF_UNIX)
        self.counts = make_table(1)
        self.heard = asyncio.Queue()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "postroad.app.worker", str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.channel = Channel(ours, lambda message, _fds: self.heard.put_nowait(message), lambda: None)

    def settings(self, main=""):
        texts = f"queue_directory = {self.place}/queue\nmaillog_file = {self.place}/log/mail\n"
        return {
            "directory": str(self.place),
            "main": MAIN + texts + main,
            "master": MASTER.format(port=self.port),
            "listeners": [{"service": f"{self.port}/inet"}],
        }

    def begin(self, main="", certificates=None):
        message = self.settings(main) | {
            "do": "begin",
            "worker": 0,
            "workers": 1,
            "helper": False,
            "owner": self.owner,
        }
        fds = [self.listener.fileno(), self.submit.fileno(), self.counts]
        if certificates is not None:
            message["certificates"] = True
            fds.append(certificates.pack())
        self.channel.send(message, fds)

    def ask(self, **request):
        fds = [self.listener.fileno()] if request["verb"] == "reload" else []
        self.channel.send({"do": "request", "id": 1, "request": request}, fds)

    async def hear(self):
        return await asyncio.wait_for(self.heard.get(), 30)

    async def end(self):
        return await asyncio.get_running_loop().run_in_executor(None, self.process.wait, 30)

    def close(self):
        self.channel.close()
        self.process.kill()
        self.process.wait()
        self.listener.close()
        self.submit.close()
        os.close(self.counts)


@pytest.fixture
async def supervisor(place):
    made = Supervisor(place)
    yield made
    made.close()


async def test_it_serves_when_it_says_so_and_ends_when_it_is_told(supervisor):
    supervisor.begin()
    assert await supervisor.hear() == {"re": "ready"}
    reader, writer = await asyncio.open_connection("127.0.0.1", supervisor.port)
    assert (await reader.readline()).startswith(b"220 mx.example.test")
    writer.close()
    supervisor.channel.send({"do": "stop", "seconds": 1})
    assert await supervisor.end() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
async def test_it_gives_up_its_rights_before_it_serves(supervisor):
    supervisor.begin()
    await supervisor.hear()
    assert os.stat(f"/proc/{supervisor.process.pid}/task").st_uid in (0, 65534)
    with open(f"/proc/{supervisor.process.pid}/status") as file:
        assert "Uid:\t65534\t65534\t65534\t65534\n" in file


async def test_problems_of_its_settings_are_told_and_it_ends(supervisor):
    supervisor.begin("smtpd_timeout = soon\n")
    answer = await supervisor.hear()
    assert answer["re"] == "failed"
    assert "smtpd_timeout" in answer["problems"][0]
    assert await supervisor.end() == 0


async def test_a_request_that_comes_before_it_serves_waits_for_that(supervisor):
    supervisor.begin()
    supervisor.ask(verb="list")
    assert await supervisor.hear() == {"re": "ready"}
    assert await supervisor.hear() == {"re": "answer", "id": 1, "answer": {"messages": [], "more": False}}


async def test_a_reload_that_comes_before_it_serves_waits_as_well(supervisor):
    supervisor.begin()
    supervisor.ask(verb="reload", **supervisor.settings("smtpd_banner = second\n"))
    assert await supervisor.hear() == {"re": "ready"}
    assert (await supervisor.hear())["answer"] == {}
    reader, writer = await asyncio.open_connection("127.0.0.1", supervisor.port)
    assert await reader.readline() == b"220 second\r\n"
    writer.close()


async def test_certificates_that_come_before_it_serves_wait_for_that(supervisor):
    main = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /a.pem\n"
    one, two = (Certificates({"/a.pem": pem(self_signed(name))}) for name in ("one.test", "two.test"))
    supervisor.begin(main, one)
    supervisor.channel.send({"do": "certificates"}, [two.pack()])
    assert (await supervisor.hear())["re"] == "ready"

    def served():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP("127.0.0.1", supervisor.port, timeout=30) as client:
            client.starttls(context=context)
            return client.sock.getpeercert(binary_form=True)

    name = x509.load_der_x509_certificate(await asyncio.to_thread(served)).subject.rfc4514_string()
    assert name == "CN=two.test"


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        ({"verb": "hold", "ids": 7}, "error"),
        ({"verb": "reload", "main": "smtpd_timeout = soon\n"}, "problems"),
    ],
)
async def test_what_goes_wrong_with_a_request_is_answered(supervisor, request_, key):
    supervisor.begin()
    await supervisor.hear()
    supervisor.ask(**(supervisor.settings() | request_))
    assert key in (await supervisor.hear())["answer"]


async def test_signals_to_the_whole_group_are_the_supervisors_to_answer(supervisor):
    supervisor.begin()
    await supervisor.hear()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        supervisor.process.send_signal(number)
    supervisor.ask(verb="list")
    assert (await supervisor.hear())["re"] == "answer"


async def test_without_its_supervisor_it_ends(supervisor):
    supervisor.begin()
    await supervisor.hear()
    supervisor.channel.close()
    assert await supervisor.end() == 0
