import pytest

from postroad.base.params import settings_of
from postroad.model.params import params as model
from postroad.store.params import AUTHORIZED_MAILQ_USERS, FAST_FLUSH_DOMAINS, QUEUE_STORE, params


def test_the_defaults_are_postfixs():
    settings = settings_of([model, params], relay_domains="example.org example.net")
    assert settings[AUTHORIZED_MAILQ_USERS] == ("static:anyone",)
    assert settings[FAST_FLUSH_DOMAINS] == ("example.org", "example.net")


def test_a_store_that_is_not_there_yet_is_refused_in_words():
    with pytest.raises(ValueError, match="expected one of sqlite"):
        QUEUE_STORE.read("postgresql://db.example/")
