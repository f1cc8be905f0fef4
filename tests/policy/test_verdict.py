from postroad.base.errors import PostroadError, TableUnavailable
from postroad.model.reply import Reply
from postroad.policy.verdict import PERMIT, Permit, ServerError


def test_permission_is_one_value_that_no_reply_equals():
    assert PERMIT is Permit.PERMIT
    assert list(Permit) == [PERMIT]
    assert Reply(250, "2.0.0", "Ok") != PERMIT
    assert PERMIT is not None


def test_a_restriction_that_cannot_be_used_is_neither_a_permission_nor_a_missing_table():
    error = ServerError("unknown smtpd restriction")
    assert isinstance(error, PostroadError)
    assert not isinstance(error, TableUnavailable)
