"""The submission services, as people's programs use them: each sends a message that arrives as it was."""

from __future__ import annotations

import base64
import re
import smtplib
import subprocess
from collections.abc import Callable, Iterator

import pytest

from peers.harness import Postroad, a_place, message, until
from peers.submission import SECRET, USER, Submission, a_submission
from peers.talk import Talk

pytestmark = pytest.mark.peer

_BODY = "One\r\n.\r\n..two\r\nQ\r\nRed\r\n" + "long " * 150 + "\r\n邮件\r\n"
_DATE = "Thu, 1 Oct 2026 10:00:00 +0000"
TO = "someone@far.test"
WRONG, BAD_DIGEST = "wr0ng-Battery+staple", "0123456789abcdef" * 2


#: Refused logins are answered at once: it is the answers that are compared here.
_AT_ONCE = "smtpd_sasl_failure_limit = 0\n"


@pytest.fixture(scope="module")
def submission() -> Iterator[Submission]:
    with a_place() as place, a_submission(place, main=_AT_ONCE) as made:
        yield made


# --- the programs


def smtplib_starttls(it: Submission, content: bytes) -> None:
    with smtplib.SMTP("localhost", it.ports["submission"], "client.test", timeout=30) as client:
        client.starttls(context=it.context())
        client.login(USER, SECRET)
        client.sendmail(USER, [TO], content, ["BODY=8BITMIME"])


def smtplib_direct(it: Submission, content: bytes) -> None:
    port = it.ports["submissions"]
    with smtplib.SMTP_SSL("localhost", port, "client.test", timeout=30, context=it.context()) as client:
        client.login(USER, SECRET)
        client.sendmail(USER, [TO], content, ["BODY=8BITMIME"])


def curl_starttls(it: Submission, content: bytes) -> None:
    url = f"smtp://localhost:{it.ports['submission']}/client.test"
    _curl(it, content, "--ssl-reqd", "--url", url)


def curl_direct(it: Submission, content: bytes) -> None:
    _curl(it, content, "--url", f"smtps://localhost:{it.ports['submissions']}/client.test")


def _curl(it: Submission, content: bytes, *options: str) -> None:
    roots = ["--cacert", str(it.roots)]
    who = ["--user", f"{USER}:{SECRET}", "--mail-from", USER, "--mail-rcpt", TO]
    run(["curl", "-sS", "--noproxy", "*", *roots, *who, *options, "--upload-file", "-"], content)


def msmtp_starttls(it: Submission, content: bytes) -> None:
    _msmtp(it, content, "submission", "--tls-starttls=on")


def msmtp_direct(it: Submission, content: bytes) -> None:
    _msmtp(it, content, "submissions", "--tls-starttls=off")


def _msmtp(it: Submission, content: bytes, service: str, *options: str) -> None:
    where = ["--host=localhost", f"--port={it.ports[service]}", f"--tls-trust-file={it.roots}", "--tls=on"]
    who = ["--auth=on", f"--user={USER}", f"--passwordeval=printf %s '{SECRET}'", f"--from={USER}"]
    extra = ["--domain=client.test", "--set-date-header=off", "--set-msgid-header=off"]
    run(["msmtp", "--file=/dev/null", *where, *who, *extra, *options, TO], content.replace(b"\r\n", b"\n"))


def _openssl(it: Submission, content: bytes, service: str, *options: str) -> None:
    plain = base64.b64encode(f"\0{USER}\0{SECRET}".encode()).decode()
    said = [
        "EHLO client.test",
        f"AUTH PLAIN {plain}",
        f"MAIL FROM:<{USER}> BODY=8BITMIME",
        f"RCPT TO:<{TO}>",
        "DATA",
    ]
    where = ["-connect", f"localhost:{it.ports[service]}", "-CAfile", str(it.roots), "-verify_return_error"]
    command = [
        "timeout",
        "20",
        "openssl",
        "s_client",
        "-quiet",
        "-verify_hostname",
        "localhost",
        *where,
        *options,
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        assert client.stdin
        assert client.stdout

        def reply() -> bytes:
            while True:
                line = client.stdout.readline()  # type: ignore[union-attr]
                if line[3:4] != b"-":
                    return line

        if "-starttls" not in options:
            reply()  # the greeting
        for line in said:
            client.stdin.write(line.encode() + b"\r\n")
            client.stdin.flush()
            assert reply()[:1] in b"23", line
        client.stdin.write(re.sub(rb"(?m)^\.", b"..", content) + b".\r\nQUIT\r\n")
        client.stdin.flush()
        assert reply().startswith(b"250 2.0.0 Ok: queued as ")
        client.kill()


def openssl_starttls(it: Submission, content: bytes) -> None:
    _openssl(it, content, "submission", "-starttls", "smtp")


def openssl_direct(it: Submission, content: bytes) -> None:
    _openssl(it, content, "submissions")


def swaks(mechanism: str, service: str) -> Callable[[Submission, bytes], None]:
    tls = "--tls" if service == "submission" else "--tls-on-connect"

    def send(it: Submission, content: bytes) -> None:
        where = ["--server", "localhost", "--port", str(it.ports[service]), tls, "--tls-verify"]
        roots = ["--tls-ca-path", str(it.roots), "--ehlo", "client.test"]
        who = ["--auth", mechanism, "--auth-user", USER, "--auth-password", SECRET]
        path = it.place / "message"
        path.write_bytes(content.removesuffix(b"\r\n").replace(b"\r\n", b"\n"))  # it ends the last line
        run(["swaks", *where, *roots, *who, "--from", USER, "--to", TO, "--data", f"@{path}"])

    return send


def run(command: list[str], given: bytes = b"") -> None:
    done = subprocess.run(command, input=given, capture_output=True, timeout=30)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")


PROGRAMS: dict[str, Callable[[Submission, bytes], None]] = {
    "smtplib-starttls": smtplib_starttls,
    "smtplib-direct": smtplib_direct,
    "curl-starttls": curl_starttls,
    "curl-direct": curl_direct,
    "msmtp-starttls": msmtp_starttls,
    "msmtp-direct": msmtp_direct,
    "openssl-starttls": openssl_starttls,
    "openssl-direct": openssl_direct,
} | {
    f"swaks-{mechanism}-{service}": swaks(mechanism, service)
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5")
    for service in ("submission", "submissions")
}


def arrives(it: Submission, program: str) -> str:
    """Send a message with a program; return what the server put above it."""
    fields = {"Message_ID": f"<{program}@client.test>", "Date": _DATE, "X_Odd": "a;\r\n\tb"}
    content = message("中文 and more", _BODY, **fields)
    before = len(it.hop.received)
    PROGRAMS[program](it, content)
    until(lambda: len(it.hop.accepted) > before, 30, it.server.log)
    kept = it.hop.received[before]
    assert (kept.sender, kept.recipients) == (USER, [TO])
    head, start, rest = kept.content.partition(b"From: sender@")
    assert start + rest == content
    return head.decode()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_message_that_a_program_submits_arrives_as_it_was(submission: Submission, program: str) -> None:
    head = arrives(submission, program)
    assert head.count("Received:") == 1
    assert " with ESMTPSA id " in head
    assert re.search(r"\(using TLSv1\.[23] with cipher \S+ \(256/256 bits\)", head)
    service = "submissions" if program.endswith(("direct", "submissions")) else "submission"
    mechanism = {"swaks-LOGIN": "LOGIN", "swaks-CRAM-MD5": "CRAM-MD5"}.get(program.rpartition("-")[0])
    found = re.search(r" with ESMTPSA id (\w+)", head)
    assert found is not None
    line = (
        rf"postfix/{service}/smtpd\[\d+\]: {found[1]}: client=unknown\[127\.0\.0\.1\], "
        rf"sasl_method={mechanism or '(PLAIN|CRAM-MD5)'}, sasl_username={re.escape(USER)}\n"
    )
    until(lambda: re.search(line, submission.server.log()), 30, submission.server.log)


# --- what is refused


def begun(it: Submission, port: str, tls: str) -> Talk:
    """Return a session after EHLO; ``tls`` is "", "starttls" or "direct"."""
    talk = Talk(it.ports[port], context=it.context() if tls == "direct" else None)
    if tls == "starttls":
        talk.starttls(it.context())
    else:
        talk.say("EHLO client.test")
    return talk


def plain(user: str = USER, secret: str = SECRET) -> str:
    return base64.b64encode(f"\0{user}\0{secret}".encode()).decode()


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SCENES: dict[str, tuple[str, str, list[str]]] = {
    "offer in the clear, submission": ("submission", "", ["EHLO x"]),
    "offer in the clear, auth_only": ("clear", "", ["EHLO x"]),
    "offer in the clear": ("open", "", ["EHLO x"]),
    "offer under TLS": ("clear", "starttls", ["EHLO x"]),
    "offer, direct": ("submissions", "direct", ["EHLO x"]),
    "submission in the clear": ("submission", "", [f"AUTH PLAIN {plain()}"]),
    "submission in the clear, without the secret": ("submission", "", ["AUTH PLAIN"]),
    "auth_only in the clear": ("clear", "", [f"AUTH PLAIN {plain()}"]),
    "auth_only in the clear, without the secret": ("clear", "", ["AUTH LOGIN"]),
    "mail before TLS": ("submission", "", [f"MAIL FROM:<{USER}>"]),
    "TLS twice": ("submission", "starttls", ["STARTTLS"]),
    "TLS in TLS": ("submissions", "direct", ["STARTTLS"]),
    "TLS with an argument": ("submission", "", ["STARTTLS now"]),
    "mail without a login": ("submission", "starttls", [f"MAIL FROM:<{USER}>", f"RCPT TO:<{TO}>"]),
    "our own recipient without a login": (
        "submissions",
        "direct",
        ["MAIL FROM:<x@y.test>", "RCPT TO:<alice@example.test>"],
    ),
    "wrong secret": ("submission", "starttls", [f"AUTH PLAIN {plain(secret=WRONG)}"]),
    "unknown user": ("submissions", "direct", [f"AUTH PLAIN {plain(user='nobody')}"]),
    "wrong secret, LOGIN": ("submissions", "direct", ["AUTH LOGIN", coded(USER), coded(WRONG)]),
    "wrong secret, CRAM-MD5": ("submissions", "direct", ["AUTH CRAM-MD5", coded(f"{USER} {BAD_DIGEST}")]),
    "cancelled": ("submission", "starttls", ["AUTH PLAIN", "*"]),
    "not base64": ("submission", "starttls", ["AUTH PLAIN =nonsense="]),
    "not base64, later": ("submission", "starttls", ["AUTH PLAIN", "%%%"]),
    "no such mechanism": ("submission", "starttls", ["AUTH GSSAPI"]),
    "no mechanism": ("submission", "starttls", ["AUTH"]),
    "AUTH twice": ("submission", "starttls", [f"AUTH PLAIN {plain()}", f"AUTH PLAIN {plain()}"]),
    "AUTH in a transaction": ("submission", "starttls", ["MAIL FROM:<x@y.test>", f"AUTH PLAIN {plain()}"]),
    "AUTH, then mail": (
        "submission",
        "starttls",
        [f"AUTH PLAIN {plain()}", f"MAIL FROM:<{USER}>", f"RCPT TO:<{TO}>"],
    ),
    "AUTH= of MAIL": ("submission", "starttls", [f"AUTH PLAIN {plain()}", f"MAIL FROM:<{USER}> AUTH=<>"]),
    "AUTH without EHLO": ("open", "", ["HELO x", f"AUTH PLAIN {plain()}"]),
    "AUTH in the clear where that is allowed": ("open", "", [f"AUTH PLAIN {plain()}"]),
    "empty secret": ("submission", "starttls", [f"AUTH PLAIN {plain(secret='')}"]),
    "initial response of =": ("submission", "starttls", ["AUTH LOGIN ="]),
    "long response": ("submission", "starttls", ["AUTH PLAIN", "A" * 14000]),
}


def answers(it: Submission) -> dict[str, str]:
    """Return the last reply of each scene."""
    got = {}
    for name, (port, tls, lines) in SCENES.items():
        with begun(it, port, tls) as talk:
            got[name] = talk.say(*lines)
    return got


def log_lines(it: Submission) -> list[str]:
    """Return what the log says about logins, without times and process ids."""
    pattern = r"postfix/(\S*smtpd)\[\d+\]: (warning: unknown\[127\.0\.0\.1\]: (?:SASL|request).*)"
    return [f"{program}: {text}" for program, text in re.findall(pattern, it.server.log())]


@pytest.fixture(scope="module")
def both(submission: Submission) -> Iterator[dict[str, tuple[dict[str, str], list[str]]]]:
    """The answers, and what the log says meanwhile, of Postfix and of Postroad."""
    made = {}
    with a_place() as place, a_submission(place, "postfix") as other:
        for kind, it in {"postfix": other, "postroad": submission}.items():
            before = len(log_lines(it))
            said = answers(it)
            until(lambda it=it: "request longer than" in it.server.log(), 30, it.server.log)
            made[kind] = said, log_lines(it)[before:]
        yield made


@pytest.mark.parametrize("scene", SCENES)
def test_who_may_not_hears_what_postfix_says(
    both: dict[str, tuple[dict[str, str], list[str]]], scene: str
) -> None:
    assert both["postroad"][0][scene] == both["postfix"][0][scene]


def test_the_log_of_refused_logins_is_postfixs(both: dict[str, tuple[dict[str, str], list[str]]]) -> None:
    # Postfix quotes the beginning of a response that is too long; it may be a part of a password.
    hidden = [text.replace("A" * 30, "(not shown: it may be a secret)") for text in both["postfix"][1]]
    assert both["postroad"][1] == hidden
    # What fail2ban looks for (filter.d/postfix.conf, mode auth).
    pattern = (
        r"warning: [^[]*\[127\.0\.0\.1\]: SASL ((?i:LOGIN|PLAIN|(?:CRAM|DIGEST)-MD5)) authentication failed:"
        r"(?! Connection lost to authentication server| Invalid authentication mechanism)"
    )
    found = [match[1] for line in both["postroad"][1] if (match := re.search(pattern, line))]
    assert {"PLAIN", "LOGIN", "CRAM-MD5"} == set(found)


def test_nothing_of_a_login_is_offered_or_taken_in_the_clear(
    both: dict[str, tuple[dict[str, str], list[str]]],
) -> None:
    said = both["postroad"][0]
    for scene in SCENES:
        if "in the clear" in scene and "allowed" not in scene and scene != "offer in the clear":
            assert "AUTH" not in said[scene]
            assert said[scene].startswith(("250-", "530 ", "503 ")), scene
    assert "AUTH PLAIN" in said["offer under TLS"]


def test_no_secret_is_in_any_file_that_the_server_wrote(
    submission: Submission, both: dict[str, tuple[dict[str, str], list[str]]]
) -> None:
    assert both
    secrets = [SECRET, WRONG, BAD_DIGEST, plain(), plain(secret=WRONG), coded(WRONG)]
    searched = 0
    for path in submission.files():
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            searched += bool(content)
            assert not [secret for secret in secrets if secret.encode() in content], path
    assert searched > 3


def test_who_is_logged_in_stays_so_through_a_reload_and_large_mail_arrives_whole(
    submission: Submission,
) -> None:
    it = submission
    assert isinstance(it.server, Postroad)
    content = message("large", "0123456789" * 7 + "\r\n" + f"{'.' * 70}\r\n" * 40_000)
    before = len(it.hop.received)
    with smtplib.SMTP("localhost", it.ports["submission"], "client.test", timeout=30) as client:
        client.starttls(context=it.context())
        client.login(USER, SECRET)
        assert it.server.reload().returncode == 0
        smtplib_direct(it, content)
        client.sendmail(USER, [TO], content)
    until(lambda: len(it.hop.accepted) >= before + 2, 30, it.server.log)
    body = content.partition(b"\r\n\r\n")[2]
    assert [kept.content.partition(b"\r\n\r\n")[2] == body for kept in it.hop.received[before:]] == [
        True,
        True,
    ]
