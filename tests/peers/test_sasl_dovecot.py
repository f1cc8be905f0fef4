"""A real Dovecot says who may log in: owners of addresses, its absence, and those who guess."""

from __future__ import annotations

import base64
import re
import shutil
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peers.harness import Postroad, a_place, until
from peers.programs import dovecot_auth
from peers.submission import SECRET, USER, Submission, a_submission
from peers.talk import Talk

pytestmark = pytest.mark.peer

_MAIN = """
smtpd_sender_login_maps = inline:{{al@example.test = al@example.test}, {boss@example.test = boss, chief},
    {@ours.test = al@example.test}}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_sasl_failure_delay = 0
"""


def plain(user: str = USER, secret: str = SECRET) -> str:
    return base64.b64encode(f"\0{user}\0{secret}".encode()).decode()


def talk(port: int, *lines: str, source: str = "", context: ssl.SSLContext | None = None) -> str:
    """Say each line after EHLO in a session of its own; return the last reply."""
    with Talk(port, source=source, context=context) as session:
        return session.say("EHLO client.test", *lines)


@pytest.fixture(scope="module")
def submission() -> Iterator[Submission]:
    with a_place() as place, a_submission(place, main=_MAIN) as made:
        yield made


SENDERS = (USER, "AL@Example.test", "x@ours.test", "boss@example.test", "free@example.test", "")


def owners(it: Submission) -> dict[tuple[bool, str], str]:
    """Return what each sender hears who is logged in, or is not."""
    return {
        (login, sender): talk(
            it.ports["open"],
            *([f"AUTH PLAIN {plain()}"] if login else []),
            f"MAIL FROM:<{sender}>",
            "RCPT TO:<alice@example.test>",
        )
        for login in (True, False)
        for sender in SENDERS
    }


def test_an_address_is_used_by_its_owner_only_as_with_postfix(submission: Submission) -> None:
    with a_place() as place, a_submission(place, "postfix", main=_MAIN) as other:
        wanted = owners(other)
    got = owners(submission)
    assert got == wanted
    assert got[True, "x@ours.test"].startswith("250 ")
    refusal = "553 5.7.1 <boss@example.test>: Sender address rejected: not owned by user al@example.test\r\n"
    assert got[True, "boss@example.test"] == refusal
    assert got[False, USER] == f"553 5.7.1 <{USER}>: Sender address rejected: not logged in\r\n"


def test_while_dovecot_is_away_nobody_is_refused_for_good_and_then_all_is_well(place: Path) -> None:
    main = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n"
    server = Postroad(place, main=main)
    private = server.work / "queue/private"
    private.mkdir(mode=0o755)
    shutil.chown(private, "nobody")
    users = {USER: SECRET}

    def login() -> str:
        return talk(server.port, f"AUTH PLAIN {plain()}")

    with server:
        assert "AUTH" not in talk(server.port)  # it was never seen
        with dovecot_auth(place, private / "auth", users):
            until(lambda: login().startswith("235 "), 30, server.log)
        (private / "auth").unlink(missing_ok=True)
        until(lambda: not login().startswith("235 "), 30)
        answer = login()
        assert answer[0] == "4" or answer.startswith("503 5.5.1 Error: authentication not enabled"), answer
        with dovecot_auth(place, private / "auth", users):
            until(lambda: login().startswith("235 "), 30, server.log)
            wrong = talk(server.port, f"AUTH PLAIN {plain(secret='wrong')}")
            assert wrong.startswith("535 5.7.8 ")


def test_those_who_guess_are_all_refused_and_nobody_else_is(submission: Submission) -> None:
    it, context, attempts = submission, submission.context(), 300
    limit, addresses = 20, 10  # smtpd_sasl_failure_limit
    before = len(it.server.log().splitlines())

    def guess(number: int) -> str:
        user = USER if number % 10 == 0 else f"user{number}@example.test"
        source = f"127.0.1.{number % addresses + 1}"
        login = f"AUTH PLAIN {plain(user, f'guess{number}')}"
        if number % 4:
            return talk(it.ports["open"], login, source=source)
        return talk(it.ports["submissions"], login, source=source, context=context)

    def clean(_: int) -> str:
        port = it.ports["submissions"]
        return talk(port, f"AUTH PLAIN {plain()}", source="127.0.2.1", context=context)

    with ThreadPoolExecutor(12) as pool:
        guesses = pool.map(guess, range(attempts))
        others = pool.map(clean, range(20))
        heard, welcomed = Counter(guesses), list(others)
    assert set(welcomed) == {"235 2.7.0 Authentication successful\r\n"}
    assert all(answer.startswith("535 5.7.8 ") for answer in heard), heard
    late = sum(count for answer, count in heard.items() if "too many failed logins" in answer)
    # Attempts that run side by side may be let through before the first of them has failed.
    assert attempts - limit * addresses - 12 <= late <= attempts - limit * addresses
    pattern = r"postfix/(submissions/)?smtpd\[\d+\]: warning: unknown\[127\.0\.1\.\d+\]: SASL PLAIN authentication failed: "
    assert isinstance(it.server, Postroad)
    it.server.wait_log(pattern, attempts)
    lines = it.server.log().splitlines()[before:]
    assert len([line for line in lines if re.search(pattern, line)]) == attempts
    # Who has the right password but comes from where it was guessed too often is not told so.
    answer = talk(it.ports["submissions"], f"AUTH PLAIN {plain()}", source="127.0.1.1", context=context)
    assert answer.startswith("535 5.7.8 ")
