from __future__ import annotations

import pytest

from postroad.base.known import default_of
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.policy import asking_params as p
from postroad.policy import params

from .conftest import make_settings


def of(**texts):
    return settings_of([model.params, params.params], **texts)


def test_the_defaults_are_postfixs_but_of_what_is_our_own():
    assert all(param.default == default_of(param.name) for param in p.group.params if not param.own)
    own = {param.name.partition("_")[0] for param in p.group.params if param.own}
    assert own == {"greylist", "python"}


def test_the_room_has_them_all_and_each_has_a_sentence():
    assert set(p.group.params) <= set(params.params.params)
    assert all(param.doc.endswith(".") for param in p.group.params)


@pytest.mark.parametrize(
    ("param", "text", "value"),
    [
        (p.POLICY_SERVICE_TIMEOUT, "2m", 120),
        (p.VERIFY_POSITIVE_EXPIRE, "2", 2 * 86400),  # days, where there is no unit
        (p.VERIFY_NEGATIVE_REFRESH, "2", 2 * 3600),  # hours
        (p.VERIFY_SENDER_TTL, "2", 2),
        (p.VERIFY_CLEANUP_INTERVAL, "0", 0),
        (p.GREYLIST_WINDOW, "1", 86400),
        (p.VERIFY_NEGATIVE_CACHE, "no", False),
        (p.UNVERIFIED_SENDER_DEFER_CODE, "250", 250),
    ],
)
def test_a_value_is_read_in_its_unit(param, text, value):
    assert param.read(text) == value


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (p.POLICY_SERVICE_TIMEOUT, "0"),
        (p.POLICY_SERVICE_TRY_LIMIT, "0"),
        (p.POLICY_SERVICE_REQUEST_LIMIT, "-1"),
        (p.VERIFY_POLL_COUNT, "0"),
        (p.VERIFY_PENDING_LIMIT, "0"),
        (p.UNVERIFIED_RECIPIENT_REJECT_CODE, "199"),
        (p.UNVERIFIED_SENDER_REJECT_CODE, "600"),
        (p.UNVERIFIED_RECIPIENT_TEMPFAIL_ACTION, "accept"),
        (p.GREYLIST_LIMIT, "999"),
        (p.PYTHON_HOOK_TIMEOUT, "0s"),
    ],
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)


@pytest.mark.parametrize(("stress", "polls"), [("", 3), ("yes", 1)])
def test_under_stress_a_probe_is_looked_for_once(stress, polls):
    assert of(stress=stress)[p.VERIFY_POLL_COUNT] == polls


def test_defaults_follow_what_they_name():
    made = make_settings(
        reject_tempfail_action="defer", double_bounce_sender="probe", data_directory="/var/x"
    )
    assert made[p.UNVERIFIED_RECIPIENT_TEMPFAIL_ACTION] == "defer"
    assert made[p.UNVERIFIED_SENDER_TEMPFAIL_ACTION] == "defer"
    assert made[p.VERIFY_SENDER] == "probe"
    assert made[p.VERIFY_MAP] == "btree:/var/x/verify_cache"
