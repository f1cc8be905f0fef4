import pytest

from postroad.model.verification import IN_PROGRESS, Deliverability, Verification


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Deliverability.GOOD, "deliverable"),
        (Deliverability.BAD, "undeliverable"),
        (Deliverability.UNKNOWN, "undecided"),
        (Deliverability.PENDING, "pending"),
    ],
)
def test_a_state_is_kept_as_its_word_and_found_again(state, word):
    assert state.value == word
    assert Deliverability(word) is state


def test_a_word_that_is_no_state_is_none():
    with pytest.raises(ValueError):
        Deliverability("deliverabel")


def test_what_is_known_is_a_state_and_who_said_so():
    state, text = Verification(Deliverability.BAD, "host mx.test said: 550 no such user")
    assert (state, text) == (Deliverability.BAD, "host mx.test said: 550 no such user")
    assert Verification(state, "x") == Verification(state, "x") != Verification(Deliverability.GOOD, "x")


def test_a_probe_that_has_not_ended_is_in_progress_in_postfixs_words():
    assert IN_PROGRESS == (Deliverability.PENDING, "Address verification in progress")
