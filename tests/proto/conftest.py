"""A server session with hooks that a test controls."""

from __future__ import annotations

import pytest

from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.hooks import PENDING
from postroad.proto.options import ServerOptions
from postroad.proto.server import ServerSession

QUEUED = Reply(250, "2.0.0", "Ok: queued as ABC")


class FakeHooks:
    """Accepts everything; ``replies`` has other answers by the hook's name."""

    def __init__(self):
        self.replies = {}
        self.asked = []
        self.notices = []
        self.messages = []
        self.logged = []
        self.failures = []
        self.offered = "PLAIN LOGIN"
        self.opened = self.discarded = self.cancelled = 0
        self._pieces = []

    def _say(self, hook, *words, default=None):
        self.asked.append((hook, *words))
        return self.replies.get((hook, *words), self.replies.get(hook, default))

    def connect(self):
        return self._say("connect")

    def helo(self):
        return self._say("helo")

    def xclient(self):
        return self._say("xclient")

    def mail(self):
        return self._say("mail")

    def recipient(self, address):
        return self._say("recipient", address)

    def unknown(self, command):
        return self._say("unknown", command)

    def open(self):
        self.opened += 1

    def data(self):
        return self._say("data")

    def content(self, piece):
        self._pieces.append(piece)

    def message(self, size):
        self.messages.append(b"".join(self._pieces))
        assert size == len(self.messages[-1])
        self._pieces.clear()
        return self._say("message", default=QUEUED)

    def discard(self):
        self.discarded += 1
        self._pieces.clear()

    def routing(self, address):
        return self._say("routing", address)

    def verify(self, address):
        return self._say("verify", address)

    def etrn(self, domain):
        return self._say("etrn", domain)

    def starttls(self):
        return self._say("starttls")

    def mechanisms(self):
        return self.offered

    def auth_command(self):
        return self._say("auth_command")

    def auth(self, mechanism, response):
        return self._say("auth", mechanism, response)

    def auth_response(self, response):
        return self._say("auth_response", response)

    def auth_failed(self, mechanism, reason):
        self.failures.append((mechanism, reason))

    def auth_cancel(self):
        self.cancelled += 1

    def rewrite(self, command):
        return {"DO": "NOOP", "BREAK": None}.get(command, command)

    def is_noop(self, word):
        return word.upper() == "PING"

    def is_forbidden(self, word):
        return word.upper() == "GET"

    def refused(self, reply):
        self.logged.append(reply)

    def footer(self, reply):
        return Reply(reply.code, reply.status, reply.text + " (see you)")

    def notice(self, notice, detail=""):
        self.notices.append((notice, detail))


class Talk:
    """A session, and what it says."""

    def __init__(self, *, greet=True, **options):
        self.hooks = FakeHooks()
        values = {"hostname": "mx.example.test", "banner": "mx.example.test ESMTP"} | options
        self.server = ServerSession(ServerOptions(**values), Session(Client("192.0.2.1")), self.hooks)
        if greet:
            self.server.start()
            assert self.said() == ["220 mx.example.test ESMTP"]

    def said(self):
        """Return the lines that were said since the last call."""
        text = b"".join(self.server.out).decode("utf-8", "surrogateescape")
        self.server.out.clear()
        assert text == "" or text.endswith("\r\n")
        return text.split("\r\n")[:-1]

    def say(self, data):
        """Send bytes as they are; return the lines of the answer."""
        self.server.feed(data if isinstance(data, bytes) else data.encode())
        return self.said()

    def ask(self, *lines):
        """Send lines one by one; return the last line of the last answer."""
        answer = []
        for line in lines:
            answer = self.say(line + "\r\n")
        return answer[-1] if answer else ""

    def to(self, state):
        """Go to the beginning of a stage: hello, mail, rcpt, data."""
        for line in ("EHLO x", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA"):
            self.ask(line)
            if line[:4].lower() == {"hello": "ehlo"}.get(state, state)[:4]:
                break
        return self


@pytest.fixture
def talk():
    return Talk()


@pytest.fixture
def make_talk():
    return Talk


@pytest.fixture
def pending():
    return PENDING
