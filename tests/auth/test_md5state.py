import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.auth.md5state import Contexts


@given(st.binary(max_size=150), st.binary(max_size=200))
def test_digests_are_those_of_hmac(key, text):
    contexts = Contexts.of(key)
    assert contexts.digest(text) == hmac.new(key, text, "md5").hexdigest()
    again = Contexts.read(contexts.show())
    assert again.digest(text) == contexts.digest(text)
    assert again.same(contexts)
    assert not again.same(Contexts.of(key + b"x"))


def test_the_form_is_dovecots():
    text = "0fe7f05fe9fbd352ebc5807685519b66e1c813a5e65e02b30e60369174783de7"
    assert Contexts.of("Geheim§1".encode()).show() == text


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match="contexts"):
        Contexts.read(text)
