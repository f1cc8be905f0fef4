import pwd

import pytest

from postroad.admin.users import is_authorized, user_name
from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.model.params import params as model
from postroad.store.params import AUTHORIZED_MAILQ_USERS, params
from postroad.tables.context import TableContext

NOBODY = pwd.getpwnam("nobody").pw_uid


async def allowed(uid, users, **texts):
    settings = settings_of([model, params], authorized_mailq_users=users, **texts)
    return await is_authorized(uid, AUTHORIZED_MAILQ_USERS, settings, TableContext())


@pytest.mark.parametrize(
    ("uid", "users", "verdict"),
    [
        (NOBODY, "static:anyone", True),
        (NOBODY, "root, nobody", True),
        (NOBODY, "", False),
        (NOBODY, "!nobody, static:all", False),
        (NOBODY, "inline:{nobody=x}", True),
        (0, "", True),
        (54321, "unknown", True),
        (54321, "nobody", False),
    ],
)
async def test_the_list_decides_except_for_root(uid, users, verdict):
    assert await allowed(uid, users) is verdict


async def test_mail_owner_may_always():
    assert await allowed(NOBODY, "", mail_owner="nobody")


async def test_a_table_that_cannot_be_read_is_no_answer():
    with pytest.raises(TableUnavailable):
        await allowed(NOBODY, "hash:/nonexistent/users")


def test_a_uid_without_a_name_is_unknown():
    assert user_name(54321) == "unknown"
    assert user_name(NOBODY) == "nobody"
