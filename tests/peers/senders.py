"""Clients at one time, whose letters can be told from each other, and what they were answered."""

from __future__ import annotations

import random
import re
import smtplib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from peers.harness import Postroad, message, until

#: What a server has to have in main.cf for clients that are refused again and again.
PATIENT = "smtpd_error_sleep_time = 0\nsmtpd_soft_error_limit = 100000\nsmtpd_hard_error_limit = 100000\n"
_PAUSE = 0.05  # seconds, of a client that is to come again


@dataclass(eq=False)
class Letter:
    """One message, with a body that no other has, and what was answered each time it was offered."""

    name: str
    sender: str
    body: bytes
    is_spam: bool = False
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        kind = {"MIME_Version": "1.0", "Content_Type": 'multipart/mixed; boundary="="'}
        return message(self.name, "", X_Letter=self.name, From=self.sender, **kind) + self.body

    @property
    def is_taken(self) -> bool:
        return any(code == 250 for code, _text in self.answers)

    def offer(self, client: smtplib.SMTP) -> int:
        """Offer it once, to alice; returns the code of the last answer."""
        self.answers.append(self._answer(client))
        return self.answers[-1][0]

    def _answer(self, client: smtplib.SMTP) -> tuple[int, bytes]:
        answer = client.mail(self.sender)
        if answer[0] == 250:
            answer = client.rcpt("alice@example.test")
        if answer[0] != 250:
            return answer
        try:
            return client.data(self.content)
        except smtplib.SMTPDataError as error:  # DATA itself was refused
            return error.smtp_code, error.smtp_error  # type: ignore[return-value]


def letters(count: int, *, spam: bytes = b"", domain: str = "client.example") -> list[Letter]:
    """Return letters of many sizes, a text with an attachment each; every third text is ``spam``, if any."""
    found = []
    for number in range(count):
        lines = random.Random(number).randbytes(38).hex().encode() + b"\r\n.\r\n"
        text = spam if spam and number % 3 == 0 else b"number %d\r\n" % number
        parts = [b"\r\n" + text, b"Content-Type: application/x-a\r\n\r\n" + lines * (1 + number % 7 * 60)]
        body = b"".join(b"--=\r\n" + part for part in parts) + b"--=--\r\n"
        found.append(Letter(f"letter {number}", f"s{number}@{domain}", body, text == spam))
    return found


class Senders:
    """Clients that offer letters, each its own, until every one is taken or refused for good.

    After 450 a client goes on in its session with its next letter, as one that has more to send; after
    any other 4xx, and after ``each`` letters, it begins a new session.
    """

    def __init__(self, server: Postroad, given: Sequence[Letter], count: int = 6, each: int = 1000) -> None:
        self._server, self._each, self.letters = server, each, given
        self._failures: list[BaseException] = []
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(deque(given[part::count]),)) for part in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _work(self, left: deque[Letter]) -> None:
        try:
            while left and not self._over.is_set():
                with self._server.connect(timeout=60) as client:
                    client.ehlo()
                    self._session(client, left)
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
            self._failures.append(error)

    def _session(self, client: smtplib.SMTP, left: deque[Letter]) -> None:
        for _ in range(self._each):
            if not left or self._over.is_set():
                return
            code = left[0].offer(client)
            if code == 250 or code >= 500:
                left.popleft()
            else:
                left.rotate(-1)
                time.sleep(_PAUSE)
            if code != 250:
                client.rset()
            if 400 <= code < 500 and code != 450:
                return

    def answers(self, code: int) -> int:
        """Return how often this was answered so far."""
        return sum(answer[0] == code for letter in self.letters for answer in list(letter.answers))

    def wait(self, code: int, more: int = 1, seconds: float = 30) -> None:
        """Wait until this is answered so many times more."""
        wanted = self.answers(code) + more
        self._until(lambda: self.answers(code) >= wanted, seconds)

    def finish(self, seconds: float = 60) -> None:
        """Wait until every letter is taken or refused."""
        self._until(lambda: not any(thread.is_alive() for thread in self._threads), seconds)

    def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        until(lambda: self._failures or condition(), seconds, lambda: str(self.codes()))
        if self._failures:
            raise self._failures[0]

    def codes(self) -> Counter[int]:
        return Counter(code for letter in self.letters for code, _text in list(letter.answers))


def heads(found: Iterable[bytes], wanted: Sequence[Letter]) -> dict[str, bytes]:
    """Return the header of each letter in a mailbox; these letters have to be there, once and as they were."""
    by_name = {letter.name: letter for letter in wanted}
    seen: dict[str, bytes] = {}
    for mail in found:
        head, _, body = mail.partition(b"\n\n")
        name = re.search(rb"(?m)^X-Letter: (.+)$", head)
        assert name is not None, mail
        letter = by_name[name[1].decode()]
        assert letter.name not in seen, f"{letter.name} came twice"
        own, _, own_body = letter.content.replace(b"\r\n", b"\n").partition(b"\n\n")
        assert body == own_body, letter.name
        assert set(own.split(b"\n")) <= set(head.split(b"\n")), head
        seen[letter.name] = head
    assert seen.keys() == by_name.keys(), sorted(by_name.keys() - seen.keys())
    return seen
