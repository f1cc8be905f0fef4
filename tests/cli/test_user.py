import io
import json
import sys

import pytest

from postroad.auth.schemes import read, verify
from postroad.cli.main import main

MAIN = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = postroad\nsmtpd_sasl_path = {}/users\n"


class Terminal(io.StringIO):
    answers = False

    def isatty(self):
        return self.answers


@pytest.fixture
def place(tmp_path):
    (tmp_path / "main.cf").write_text(MAIN.format(tmp_path))
    return tmp_path


@pytest.fixture
def user(place, monkeypatch, capsys):
    def run(*args, stdin="", status=0):
        monkeypatch.setattr(sys, "stdin", Terminal(stdin))
        assert main(["postroad", "user", *args, "-c", str(place)]) == status
        captured = capsys.readouterr()
        assert not (status and captured.out)
        return captured.out + captured.err

    return run


def test_the_life_of_a_user(user, place):
    assert user("add", "Joe", "--password-stdin", stdin="geheim\nmore\n") == ""
    hashed = (place / "users").read_text().rstrip("\n").partition(":")[2]
    assert hashed.startswith("{ARGON2ID}")
    assert verify(read(hashed), b"geheim")
    assert "already" in user("add", "joe", "--password-stdin", stdin="x\n", status=1)
    user("add", "ann@example.org", "--scheme", "sha512-crypt", "--password-stdin", stdin="x\n")
    user("lock", "joe")
    assert user("list") == "joe              ARGON2ID  locked\nann@example.org  SHA512-CRYPT\n"
    assert [json.loads(line) for line in user("list", "--json").splitlines()] == [
        {"name": "joe", "scheme": "ARGON2ID", "locked": True},
        {"name": "ann@example.org", "scheme": "SHA512-CRYPT", "locked": False},
    ]
    user("unlock", "joe")
    user("remove", "ann@example.org")
    user("passwd", "joe", "--scheme=PLAIN", "--password-stdin", stdin="neu")
    assert (place / "users").read_text() == "joe:{PLAIN}neu\n"
    assert "no such user" in user("remove", "ann", status=1)


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("add",),
        ("add", "a", "b"),
        ("list", "a"),
        ("frob", "a"),
        ("add", "a", "--frob"),
        ("add", "a", "--file"),
    ],
)
def test_wrong_calls(user, args):
    assert "usage: postroad user" in user(*args, status=2)


def test_a_scheme_that_is_none(user):
    assert "expected one of" in user("add", "joe", "--scheme", "rot13", "--password-stdin", status=2)


def test_help(user):
    assert user("--help").startswith("usage: postroad user")


def test_the_password_is_asked_for_twice(user, monkeypatch, place):
    assert "--password-stdin" in user("add", "joe", status=1)
    answers = iter(["one", "two", "same", "same"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    monkeypatch.setattr(Terminal, "answers", True)
    assert "not the same" in user("add", "joe", status=1)
    assert not (place / "users").exists()
    user("add", "joe", "--scheme", "PLAIN")
    assert (place / "users").read_text() == "joe:{PLAIN}same\n"


def test_another_file(user, place, monkeypatch):
    monkeypatch.chdir(place)
    user("add", "joe", "--scheme", "PLAIN", "--password-stdin", "--file", "others", stdin="x\n")
    assert (place / "others").read_text() == "joe:{PLAIN}x\n"
    user("add", "ann", "--scheme", "PLAIN", "--password-stdin", f"--file=hash:{place}/table", stdin="x\n")
    assert (place / "table").read_text() == "ann\t{PLAIN}x\n"
    assert not (place / "users").exists()


def test_which_file(user, place):
    (place / "main.cf").write_text("smtpd_sasl_type = dovecot\n")
    assert "smtpd_sasl_type = postroad is not set" in user("list", status=1)
    (place / "main.cf").write_text(MAIN.format(place))
    (place / "master.cf").write_text(
        "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd -o smtpd_sasl_path=/other\n"
    )
    assert "several: " in user("list", status=1)
    (place / "main.cf").write_text("smtpd_sasl_type = postroad\nsmtpd_sasl_path = pam:smtp\n")
    (place / "master.cf").unlink()
    assert "in a file only" in user("list", status=1)


def test_names_that_would_upset_a_terminal(user, place):
    (place / "users").write_text("j\x1boe:{PLAIN}x\n")
    assert user("list") == "j?oe  PLAIN\n"
