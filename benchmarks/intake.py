"""What the intake costs for each message: python benchmarks/intake.py [messages]."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from postroad.base.clock import SystemClock
from postroad.base.ids import QueueIds
from postroad.base.log import Log, Sink
from postroad.base.params import Facts, settings_of
from postroad.intake import params as intake_params
from postroad.intake.intake import Intake
from postroad.mail.rewrite import Rewriter
from postroad.model import params as model_params
from postroad.model.client import Client
from postroad.model.message import Message, Recipient
from postroad.model.session import Session, Transaction
from postroad.net.interfaces import OwnAddresses
from postroad.tables.context import TableContext

HEADER = (
    b"Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTPS id 12345\r\n"
    b"\tfor <bob@example.test>; Mon, 23 Nov 2026 06:00:01 +0000\r\n"
    b"Date: Mon, 23 Nov 2026 06:00:00 +0000\r\nFrom: Alice Example <alice@example.net>\r\n"
    b"To: Bob <bob@example.test>\r\nSubject: A message of ten kilobytes\r\n"
    b"Message-ID: <20261123060000.12345@example.net>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
)
CONTENT = HEADER + b"\r\n" + (b"x" * 70 + b"\r\n") * 140
PLAIN = {
    "syslog_name": "postfix",
    "append_dot_mydomain": "no",
    "smtputf8_enable": "yes",
    "mynetworks": "127.0.0.0/8",
    "myhostname": "mx.example.test",
    "mydomain": "example.test",
}


class Nowhere:
    """Accepts and forgets."""

    def accept(self, message: Message, then: Callable[[None], None]) -> None:
        del message
        then(None)


def measure(title: str, messages: int, address: str, **texts: str) -> None:
    settings = settings_of(
        [model_params.params, intake_params.params], Facts(hostname="mx.example.test"), **(PLAIN | texts)
    )
    clock = SystemClock()
    intake = Intake(
        settings,
        store=Nowhere(),
        ids=QueueIds(clock),
        log=Log(Sink()),
        clock=clock,
        accepted=_ignore,
        tables=TableContext(texts=settings.texts),
        rewriter=Rewriter(settings),
        own=OwnAddresses(["127.0.0.1"]),
    )
    session = Session(Client(address, name="a.example"), helo="a.example", protocol="ESMTP")
    begun = time.process_time()
    for _ in range(messages):
        session.transaction = Transaction(
            sender="alice@example.net", recipients=[Recipient("bob@example.test")]
        )
        receiver = intake.open(session)
        receiver.feed(CONTENT)
        receiver.commit(_ignore)
    spent = (time.process_time() - begun) / messages * 1e6
    print(f"{title:36} {spent:6.1f} us for each message of {len(CONTENT)} bytes")


def _ignore(reply: object) -> None:
    pass


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    measure("remote client", messages, "192.0.2.10")
    measure("local client, headers completed", messages, "127.0.0.1")
    measure(
        "remote client, virtual aliases",
        messages,
        "192.0.2.10",
        virtual_alias_maps="inline:{ {bob@example.test=b@example.org} }",
    )


if __name__ == "__main__":
    main()
