import os

import pytest

from postroad.auth.accounts import AuthUnavailable
from postroad.auth.schemes import Stored, read
from postroad.auth.users import UsersFile, UsersTable, read_users, usual
from postroad.base.clock import TestClock
from postroad.base.errors import TableUnavailable
from postroad.tables.context import TableContext

FILE = """\
# the users
joe:{PLAIN}one
Ann@Example.ORG:{PLAIN}two:1000:1000::/home/ann::
near:{PLAIN}three::::::allow_nets=192.0.2.0/24,2001:db8::/32 userdb_quota=1
shut:{PLAIN}four::::::nologin
joe:{PLAIN}another
odd:{ROT13}x
odder:{PLAIN}x::::::allow_nets=nowhere
oddest:{PLAIN}x::::::allow_nets=
name
:
"""


def test_the_fields_that_count():
    told = []
    users = read_users(FILE, told.append)
    assert list(users) == ["joe", "ann@example.org", "near", "shut", "odd", "odder", "oddest", "name"]
    assert users["joe"].stored == Stored("PLAIN", "", "one")
    assert users["shut"].stored is not None
    assert users["shut"].stored.locked
    assert users["name"].stored is not None
    assert users["name"].stored.locked
    assert [line.partition(": ")[0] for line in told] == ["line 7", "line 8", "line 9"]
    assert "{PLAIN}" not in "".join(told)
    assert [users[name].stored for name in ("odd", "odder", "oddest")] == [None, None, None]


@pytest.mark.parametrize(
    ("address", "may"),
    [("192.0.2.7", True), ("198.51.100.1", False), ("2001:db8::1", True), ("::1", False), ("unknown", False)],
)
async def test_networks(tmp_path, address, may):
    (tmp_path / "users").write_text(FILE)
    file = UsersFile(str(tmp_path / "users"), TableContext())
    assert (await file.find("near", address) is not None) is may
    assert await file.find("joe", address) is not None


async def test_three_ends(tmp_path):
    path = tmp_path / "users"
    clock = TestClock()
    told = []
    file = UsersFile(str(path), TableContext(clock=clock, warn=told.append))
    with pytest.raises(TableUnavailable, match="No such file"):
        await file.find("joe", "192.0.2.1")
    with pytest.raises(TableUnavailable):
        file.sample()
    with pytest.raises(TableUnavailable):
        file.load()
    path.write_text(FILE)
    clock.advance(2)
    file.load()
    assert await file.find("joe", "192.0.2.1") == read("{PLAIN}one")
    assert await file.find("nobody", "192.0.2.1") is None
    with pytest.raises(AuthUnavailable, match="odd "):
        await file.find("odd", "192.0.2.1")
    assert told[0].startswith(str(path))


async def test_a_change_is_followed(tmp_path):
    path = tmp_path / "users"
    clock = TestClock()
    path.write_text("joe:{PLAIN}one\n")
    file = UsersFile(str(path), TableContext(clock=clock))
    assert await file.find("joe", "") == read("{PLAIN}one")
    path.with_name("new").write_text("joe:{PLAIN}two\n")
    os.replace(path.with_name("new"), path)
    clock.advance(2)
    assert await file.find("joe", "") == read("{PLAIN}two")
    path.unlink()
    clock.advance(2)
    with pytest.raises(TableUnavailable):
        await file.find("joe", "")


def test_the_usual_scheme():
    words = ("{PLAIN}a", "{CRYPT}$6$a$b", "{CRYPT}$6$c$d", "$y$j9T$a$b", "{LOCKED}{CRYPT}$y$x", "*", "!")
    assert usual(read(word) for word in words) == read("{CRYPT}$6$a$b")
    assert usual([]) is None
    assert usual([read("*")]) is None


async def test_tables():
    table = UsersTable(["inline:{ joe={PLAIN}one, bad={X}y, shut={LOCKED}{PLAIN}z }"], TableContext())
    assert table.name.startswith("inline:")
    table.load()
    first = table.sample()
    assert first is not None
    assert first.scheme == "CRYPT"
    assert table.sample() is first
    assert await table.find("joe", "192.0.2.1") == read("{PLAIN}one")
    assert table.sample() == read("{PLAIN}one")
    assert (await table.find("shut", "")).locked
    assert table.sample() == read("{PLAIN}one")
    assert await table.find("nobody", "") is None
    with pytest.raises(AuthUnavailable, match="bad"):
        await table.find("bad", "")
    with pytest.raises(TableUnavailable):
        await UsersTable(["fail:x"], TableContext()).find("joe", "")
