"""What the server's machine costs for one message of 10 KiB, without sockets, policy or queue.

python benchmarks/proto_server.py [messages]
"""

from __future__ import annotations

import sys
import time

from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.options import ServerOptions
from postroad.proto.server import ServerSession

QUEUED = Reply(250, "2.0.0", "Ok: queued as 0000000000000AB")
LINE = b"The quick brown fox jumps over the lazy dog; it is not afraid of it.  \r\n"
CONTENT = b"From: a@example.net\r\nTo: b@example.test\r\nSubject: x\r\n\r\n" + LINE * 142
ENVELOPE = [b"MAIL FROM:<sender@example.net>\r\n", b"RCPT TO:<recipient@example.test>\r\n", b"DATA\r\n"]


class Hooks:
    """Accepts everything."""

    def accept(self, *_):
        return None

    connect = helo = mail = recipient = data = open = content = discard = verify = notice = refused = accept

    def message(self, _size):
        return QUEUED


def cases():
    dotted = CONTENT.replace(b"\r\nThe", b"\r\n..he", 3)
    bare = CONTENT.replace(b"\r\n", b"\n")
    yield "pipelined envelope", [b"".join(ENVELOPE), CONTENT + b".\r\n"]
    yield "one command at a time", [*ENVELOPE, CONTENT + b".\r\n"]
    yield "with parameters", [
        b"MAIL FROM:<sender@example.net> SIZE=10300 BODY=8BITMIME\r\n", *ENVELOPE[1:], CONTENT + b".\r\n",
    ]  # fmt: skip
    yield "dots to take out", [b"".join(ENVELOPE), dotted + b".\r\n"]
    yield "content in two reads", [b"".join(ENVELOPE), CONTENT[:5000], CONTENT[5000:] + b".\r\n"]
    yield "one chunk", [*ENVELOPE[:2], b"BDAT %d LAST\r\n" % len(CONTENT) + CONTENT]
    yield "bare line feeds", [b"".join(ENVELOPE), bare + b"\r\n.\r\n"]
    yield "envelope alone", [b"".join(ENVELOPE[:2]), b"RSET\r\n"]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    for name, pieces in cases():
        server = ServerSession(ServerOptions(junk_limit=10**9), Session(Client("192.0.2.1")), Hooks())
        server.start()
        server.feed(b"EHLO client.example\r\n")
        best = float("inf")
        for _ in range(5):
            begun = time.process_time()
            for _ in range(count // 5):
                for piece in pieces:
                    server.feed(piece)
                server.out.clear()
            best = min(best, time.process_time() - begun)
        assert not server.closed
        print(f"{name:24} {best / (count // 5) * 1e6:6.1f} us a message")


if __name__ == "__main__":
    main()
