import pytest

from postroad.base.params import settings_of
from postroad.model.params import params as model
from postroad.store.journal import SIZE
from postroad.store.params import (
    AUTHORIZED_MAILQ_USERS,
    FAST_FLUSH_DOMAINS,
    QUEUE_JOURNAL_SIZE,
    QUEUE_STORE,
    params,
)


def test_the_defaults_are_postfixs():
    settings = settings_of([model, params], relay_domains="example.org example.net")
    assert settings[AUTHORIZED_MAILQ_USERS] == ("static:anyone",)
    assert settings[FAST_FLUSH_DOMAINS] == ("example.org", "example.net")


def test_a_journal_has_the_size_that_the_store_takes_by_itself_and_no_tiny_one():
    assert settings_of([model, params])[QUEUE_JOURNAL_SIZE] == SIZE
    assert settings_of([model, params], queue_journal_size="1m")[QUEUE_JOURNAL_SIZE] == 1 << 20
    with pytest.raises(ValueError, match="1048576"):
        QUEUE_JOURNAL_SIZE.read("1048575")


def test_a_store_that_is_not_there_yet_is_refused_in_words():
    with pytest.raises(ValueError, match="expected one of sqlite"):
        QUEUE_STORE.read("postgresql://db.example/")
