import pytest

from postroad.auth.accounts import AuthUnavailable
from postroad.auth.schemes import read
from postroad.auth.users import UsersFile, UsersTable
from postroad.base.errors import PostroadError
from postroad.tables.context import TableContext


@pytest.fixture(params=["file", "table"])
def accounts(request, tmp_path):
    """Each of those that know users: joe's password can be used, that of odd cannot."""
    if request.param == "file":
        (tmp_path / "users").write_text("joe:{PLAIN}one\nodd:{ROT13}one\n")
        return UsersFile(str(tmp_path / "users"), TableContext())
    return UsersTable(["inline:{{joe = {PLAIN}one}, {odd = {ROT13}one}}"], TableContext())


async def test_a_user_is_there_or_not_or_nobody_could_look(accounts):
    accounts.load()
    assert await accounts.find("joe", "192.0.2.1") == read("{PLAIN}one")
    assert await accounts.find("nobody", "192.0.2.1") is None
    with pytest.raises(AuthUnavailable, match="odd"):
        await accounts.find("odd", "192.0.2.1")


async def test_who_is_not_there_costs_what_a_user_does(accounts):
    await accounts.find("joe", "192.0.2.1")
    assert accounts.sample().scheme == "PLAIN"


def test_that_nobody_could_look_is_no_answer_about_a_user():
    assert issubclass(AuthUnavailable, PostroadError)
    assert not issubclass(AuthUnavailable, LookupError)
