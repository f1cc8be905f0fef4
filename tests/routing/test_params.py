"""The parameters of this room."""

from __future__ import annotations

import pytest

from postroad.base.params import settings_of
from postroad.routing import params


def test_the_defaults_are_postfixs():
    settings = settings_of([params.params])
    assert settings[params.RELAYHOST] == ""
    assert settings[params.TRANSPORT_MAPS] == ()
    assert settings[params.UNKNOWN_LOCAL_RECIPIENT_CODE] == 550
    assert settings[params.EMPTY_ADDRESS_RELAYHOST_KEY] == "<>"
    assert settings[params.HELPFUL_WARNINGS] is True


@pytest.mark.parametrize("value", ["250", "99", "x"])
def test_a_code_that_does_not_refuse_is_refused(value):
    with pytest.raises(ValueError):
        settings_of([params.params], unknown_local_recipient_reject_code=value)
