import pytest

from postroad.base.known import default_of
from postroad.base.params import settings_of
from postroad.outcome import params as p


def test_the_defaults_are_postfixs():
    for param in p.params.params:
        assert param.default == default_of(param.name), param.name


def test_each_class_of_notices_has_its_own_reader():
    names = {"bounce_notice_recipient": "a", "2bounce_notice_recipient": "b", "delay_notice_recipient": "c"}
    settings = settings_of([p.params], **names)
    readers = (p.BOUNCE_NOTICE_RECIPIENT, p.DOUBLE_BOUNCE_NOTICE_RECIPIENT, p.DELAY_NOTICE_RECIPIENT)
    assert [settings[each] for each in readers] == ["a", "b", "c"]


def test_something_of_a_message_is_always_returned():
    with pytest.raises(ValueError, match="less than the minimum"):
        p.BOUNCE_SIZE_LIMIT.read("0")
