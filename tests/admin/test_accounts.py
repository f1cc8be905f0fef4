import os

import pytest

from postroad.admin import accounts as module
from postroad.admin.accounts import Account, AccountError, AccountFile, users_files
from postroad.app.registry import registry
from postroad.auth.schemes import read, verify
from postroad.base.config import load_texts
from postroad.base.errors import PostroadError
from postroad.base.params import Facts

TEXT = """\
# who may log in
joe:{PLAIN}one:1000:1000::/home/joe::allow_nets=192.0.2.0/24
Ann@example.org:{SHA512-CRYPT}$6$a$b
old:$1$abcdefgh$xyz
odd:{ROT13}x

"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "users"
    path.write_text(TEXT)
    path.chmod(0o640)
    return AccountFile(str(path))


def test_the_list(file):
    assert file.accounts() == [
        Account("joe", "PLAIN", locked=False),
        Account("Ann@example.org", "SHA512-CRYPT", locked=False),
        Account("old", "CRYPT", locked=False),
        Account("odd", "unknown", locked=True),
    ]


def test_everything_else_stays(file):
    file.set_password("JOE", "new", "plain")
    file.lock("ann@EXAMPLE.org")
    assert file.path.read_text() == TEXT.replace("one", "new").replace("{SHA512", "{LOCKED}{SHA512")
    assert file.accounts()[1] == Account("Ann@example.org", "SHA512-CRYPT", locked=True)
    file.lock("ann@example.org")
    file.unlock("ann@example.org")
    file.unlock("ann@example.org")
    file.set_password("joe", "one", "PLAIN")
    assert file.path.read_text() == TEXT
    file.remove("old")
    assert file.path.read_text() == TEXT.replace("old:$1$abcdefgh$xyz\n", "")
    assert file.path.stat().st_mode & 0o7777 == 0o640


def test_a_new_password_opens_a_locked_account(file):
    file.lock("joe")
    file.set_password("joe", "neu", "SHA512-CRYPT")
    hashed = file.path.read_text().splitlines()[1].split(":")[1]
    assert verify(read(hashed), b"neu")


def test_a_new_user_and_a_new_file(tmp_path):
    file = AccountFile(str(tmp_path / "new"), owner="nobody")
    mask = os.umask(0o077)
    try:
        file.add("Joe", "pa\u0308ss", "ARGON2ID")
    finally:
        os.umask(mask)
    name, _, hashed = file.path.read_text().rstrip("\n").partition(":")
    assert name == "joe"
    assert verify(read(hashed), "p\u00e4ss".encode())
    status = file.path.stat()
    assert status.st_mode & 0o7777 == 0o640
    if os.getuid() == 0:
        assert status.st_gid == module._group_of("nobody")
    file.path.write_text(file.path.read_text().rstrip("\n"))
    file.add("ann", "x", "PLAIN")
    assert file.path.read_text().splitlines()[1] == "ann:{PLAIN}x"


def test_tables(tmp_path):
    (tmp_path / "users").write_text("# users\njoe   {PLAIN}one\n\tcontinued\n")
    file = AccountFile("hash:users", str(tmp_path))
    file.add("ann", "two", "PLAIN")
    file.lock("joe")
    assert (
        tmp_path / "users"
    ).read_text() == "# users\njoe\t{LOCKED}{PLAIN}one\n\tcontinued\nann\t{PLAIN}two\n"
    assert [each.name for each in file.accounts()] == ["joe", "ann"]


@pytest.mark.parametrize("spec", ["pgsql:/etc/x.cf", "users", "pam:smtp", "inline:{a=b}", ""])
def test_what_is_no_file(spec):
    with pytest.raises(AccountError, match="in a file only"):
        AccountFile(spec)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "#a", "a\nb", "x" * 600, "\udcff"])
def test_names_that_nobody_can_have(file, name):
    for act in (lambda: file.add(name, "x", "PLAIN"), lambda: file.remove(name)):
        with pytest.raises(AccountError):
            act()
    assert file.path.read_text() == TEXT


@pytest.mark.parametrize(
    ("password", "scheme", "why"),
    [
        ("", "PLAIN", "empty"),
        ("a\0b", "SHA512-CRYPT", "cannot be used"),
        ("a\nb", "SHA512-CRYPT", "cannot be used"),
        ("x" * 2000, "SHA512-CRYPT", "too long"),
        ("a:b", "PLAIN", "cannot stand in the file"),
        ("a b", "PLAIN", "cannot stand in the file"),
        ("x", "ROT13", "expected one of"),
    ],
)
def test_passwords_that_cannot_be(file, password, scheme, why):
    with pytest.raises(AccountError, match=why) as caught:
        file.add("new", password, scheme)
    assert not password or len(password) < 2 or password not in str(caught.value)
    assert file.path.read_text() == TEXT


def test_who_is_there_and_who_is_not(file):
    with pytest.raises(AccountError, match="there is such a user already"):
        file.add("Joe", "x", "PLAIN")
    for act in (file.lock, file.unlock, file.remove, lambda name: file.set_password(name, "x", "PLAIN")):
        with pytest.raises(AccountError, match="there is no such user"):
            act("nobody")
    assert file.path.read_text() == TEXT


def test_files_that_are_not_there(tmp_path):
    file = AccountFile(str(tmp_path / "none" / "users"))
    for act in (file.accounts, lambda: file.add("joe", "x", "PLAIN"), lambda: file.lock("joe")):
        with pytest.raises(PostroadError, match="No such file"):
            act()


def test_a_crash_before_the_rename_changes_nothing(file, monkeypatch):
    def fail(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PostroadError, match="No space left"):
        file.lock("joe")
    assert file.path.read_text() == TEXT
    assert os.listdir(file.path.parent) == ["users"]


def files(main, master=None):
    return users_files(load_texts(main, master, "/etc/postfix", registry(), Facts()))


def test_the_files_that_a_configuration_names():
    own = "smtpd_sasl_type = postroad\nsmtpd_sasl_path = /etc/users\n"
    assert files("") == []
    assert files("smtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n") == []
    assert files(own) == ["/etc/users"]
    services = (
        "smtp inet n - n - - smtpd\n"
        "submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_path=/etc/others\n"
    )
    assert files(own, services) == ["/etc/others"]
    assert files(own + "smtpd_sasl_auth_enable = yes\n", services) == ["/etc/users", "/etc/others"]
