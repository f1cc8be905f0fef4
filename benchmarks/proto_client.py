"""What the client's machine costs for one message of 10 KiB, without sockets or queue.

python benchmarks/proto_client.py [messages]
"""

from __future__ import annotations

import sys
import time

from postroad.mail.address import to_external
from postroad.model.message import Message, Recipient
from postroad.proto.client import ClientSession
from postroad.proto.client_content import ContentEncoder
from postroad.proto.client_stages import Event
from postroad.proto.client_values import Dispatch, Manners, Peer

LINE = b"The quick brown fox jumps over the lazy dog; it is not afraid of it.  \r\n"
CONTENT = b"From: a@example.net\r\nTo: b@example.test\r\nSubject: x\r\n\r\n" + LINE * 142
EHLO = b"250-there\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
ACCEPTED = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
QUEUED = b"250 2.0.0 Ok: queued as 0000000000000AB\r\n"


def ready():
    session = ClientSession(Manners("mx.example.test", to_external), Peer("there", "192.0.2.1", 25))
    session.feed(b"220 there ESMTP\r\n")
    session.next_event()
    session.take()
    session.feed(EHLO)
    assert session.next_event() is Event.READY
    return session


def send(session, number, content):
    recipients = [Recipient("recipient@example.test")]
    dispatch = Dispatch(Message(number, "sender@example.net", recipients, 0.0), recipients, len(content))
    session.begin(dispatch)
    size = len(session.take())
    session.feed(ACCEPTED)
    assert session.next_event() is Event.CONTENT
    encoder = ContentEncoder(998)
    size += len(encoder.encode(content) + encoder.finish())
    session.content_sent()
    session.feed(QUEUED)
    assert session.next_event() is Event.FINISHED
    return size


def encode(_session, _number, content):
    encoder = ContentEncoder(998)
    return len(encoder.encode(content) + encoder.finish())


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    dotted = CONTENT.replace(b"\r\nThe", b"\r\n.he", 30)
    for name, run, content in (
        ("a message", send, CONTENT),
        ("a message of one line", send, LINE),
        ("its content alone", encode, CONTENT),
        ("content with 30 dots", encode, dotted),
    ):
        session = ready()
        begin = time.perf_counter()
        for number in range(count):
            run(session, number, content)
        print(f"{name:24} {(time.perf_counter() - begin) / count * 1e6:7.1f} us")


if __name__ == "__main__":
    main()
