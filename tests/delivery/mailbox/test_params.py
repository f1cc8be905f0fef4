import pytest

from postroad.base.known import default_of
from postroad.base.params import settings_of
from postroad.delivery.mailbox import params as p


def test_the_defaults_are_postfixs():
    for param in p.params.params:
        assert param.default == default_of(param.name), param.name


def test_a_mailbox_is_locked_and_its_owners_alone():
    settings = settings_of([p.params])
    assert settings[p.VIRTUAL_MAILBOX_LOCK] == ("fcntl", "dotlock")
    assert settings[p.STRICT_MAILBOX_OWNERSHIP] is True
    assert settings[p.VIRTUAL_MINIMUM_UID] == 100


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (p.VIRTUAL_MINIMUM_UID, "0"),  # root's
        (p.VIRTUAL_MAILBOX_LIMIT, "-1"),
        (p.DELIVER_LOCK_ATTEMPTS, "0"),
        (p.DELIVER_LOCK_DELAY, "0s"),
        (p.STALE_LOCK_TIME, "0s"),
    ],
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)
