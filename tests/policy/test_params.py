import pytest

from postroad.base.known import default_of
from postroad.base.params import settings_of
from postroad.model import params as model
from postroad.policy import params as p

DEFERS = ("permit_mynetworks", "permit_sasl_authenticated", "defer_unauth_destination")


def of(**texts):
    return settings_of([model.params, p.params], **texts)


def test_the_defaults_are_postfixs_but_of_what_is_our_own():
    for param in p.params.params:
        assert default_of(param.name) == (None if param.own else param.default), param.name


@pytest.mark.parametrize(
    ("level", "restrictions", "first"), [("0", (), False), ("1", DEFERS, False), ("3.6", DEFERS, True)]
)
def test_the_guard_against_relaying_depends_on_the_level(level, restrictions, first):
    settings = of(compatibility_level=level)
    assert settings[p.RELAY_RESTRICTIONS] == restrictions
    assert settings[p.RELAY_BEFORE_RECIPIENT] is first


def test_what_cannot_be_looked_up_is_dealt_with_in_one_way():
    settings = of(reject_tempfail_action="defer")
    assert settings[p.UNKNOWN_HELO_TEMPFAIL_ACTION] == settings[p.UNKNOWN_ADDRESS_TEMPFAIL_ACTION] == "defer"
    with pytest.raises(ValueError, match="expected one of"):
        p.REJECT_TEMPFAIL_ACTION.read("permit")


def test_names_in_a_reply_are_left_for_each_client():
    assert of()[p.DEFAULT_RBL_REPLY].startswith("$rbl_code Service unavailable; $rbl_class")
