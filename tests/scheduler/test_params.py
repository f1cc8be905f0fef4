import pytest

from postroad.base.known import default_of
from postroad.base.params import settings_of
from postroad.scheduler import params as p

FAMILIES = {
    p.CONCURRENCY: ("default_destination_concurrency_limit", "7", 7),
    p.INITIAL: ("initial_destination_concurrency", "7", 7),
    p.POSITIVE: ("default_destination_concurrency_positive_feedback", "1/concurrency", "1/concurrency"),
    p.NEGATIVE: ("default_destination_concurrency_negative_feedback", "0.5", "0.5"),
    p.COHORTS: ("default_destination_concurrency_failed_cohort_limit", "7", 7),
    p.RECIPIENTS: ("default_destination_recipient_limit", "7", 7),
    p.RATE_DELAY: ("default_destination_rate_delay", "1m", 60),
}


def test_the_defaults_are_postfixs():
    for param in p.params.params:
        if param is not p.VIRTUAL_RECIPIENTS:  # which Postfix's manual has, and postconf has not
            assert param.default == default_of(param.name), param.name


@pytest.mark.parametrize("family", p.params.families, ids=lambda family: family.suffix)
def test_a_transport_has_a_value_of_its_own_or_that_of_all(family):
    name, text, value = FAMILIES[family]
    assert settings_of([p.params], **{name: text}).transport(family, "relay") == value
    settings = settings_of([p.params], **{f"relay{family.suffix}": text})
    assert settings.transport(family, "relay") == value
    assert settings.transport(family, "smtp") == settings_of([p.params]).transport(family, "smtp") != value


def test_a_mailbox_has_one_delivery_for_each_of_its_messages():
    settings = settings_of([p.params], default_destination_recipient_limit="50")
    assert settings.transport(p.RECIPIENTS, "local") == settings.transport(p.RECIPIENTS, "virtual") == 1
    assert settings.transport(p.CONCURRENCY, "local") == 2


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (p.ACTIVE_LIMIT, "0"),
        (p.DEFAULT_INITIAL, "0"),
        (p.DEFAULT_CONCURRENCY, "-1"),
        (p.DEFAULT_COHORTS, "-1"),
    ],
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)
