import os
import pwd

import pytest

from postroad.admin.submission import SubmissionPolicy, may_submit, submission_policy
from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.model.client import Client
from postroad.model.params import params as model
from postroad.model.session import Session
from postroad.store.params import params as store
from postroad.tables.context import TableContext
from postroad.tables.params import params as tables

ME = pwd.getpwuid(os.getuid()).pw_name
NOBODY_KNOWN = 3_999_999_999


def settings(users):
    return settings_of([model, store, tables], authorized_submit_users=users)


@pytest.mark.parametrize(
    ("users", "uid", "permitted"),
    [
        ("static:anyone", os.getuid(), True),
        (ME, os.getuid(), True),
        (f"!{ME}, static:all", os.getuid(), False),
        ("", os.getuid(), False),
        ("somebody", os.getuid(), False),
        ("!unknown, static:all", NOBODY_KNOWN, False),
        ("unknown", NOBODY_KNOWN, True),
    ],
)
async def test_users_are_on_the_list_or_not(users, uid, permitted):
    """The super-user has no privilege here."""
    assert await may_submit(uid, settings(users), TableContext()) is permitted
    policy = SubmissionPolicy(settings(users), TableContext())
    reply = await policy.mail(Session(Client("127.0.0.1", local_uid=uid)))
    assert (reply is None) is permitted
    assert reply is None or reply.code == 550


async def test_who_could_not_be_looked_up_is_not_let_in():
    with pytest.raises(TableUnavailable):
        await may_submit(os.getuid(), settings("fail:down"), TableContext())


async def test_nothing_is_asked_where_everybody_may():
    assert submission_policy(settings("static:anyone"), TableContext()) is None
    policy = submission_policy(settings(ME), TableContext())
    session = Session(Client("127.0.0.1", local_uid=os.getuid()))
    assert policy is not None
    assert [
        await policy.connect(session), await policy.helo(session), await policy.recipient(session, "a"),
        await policy.data(session), await policy.end_of_data(session, 1), await policy.verify(session, "a"),
        await policy.etrn(session, "a"),
    ] == [None] * 7  # fmt: skip


async def test_a_stranger_without_a_user_id_is_refused():
    policy = SubmissionPolicy(settings(ME), TableContext())
    assert (await policy.mail(Session(Client("127.0.0.1")))).code == 550
