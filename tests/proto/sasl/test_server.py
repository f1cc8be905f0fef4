import pytest

from postroad.proto.sasl.common import NAME_LIMIT, PASSWORD_LIMIT
from postroad.proto.sasl.server import (
    BrokenResponse,
    CheckPassword,
    CheckToken,
    Failed,
    guarded,
    name_of,
    password_of,
)


@pytest.mark.parametrize(
    ("raw", "name"),
    [(b"joe", "joe"), (b"Joe@Example.ORG", "joe@example.org"), ("J\u00f6\u00adrg".encode(), "j\u00f6rg")],
)
def test_names(raw, name):
    assert name_of(raw) == name


@pytest.mark.parametrize("raw", [b"", b"\xff", b"a\0b", b"a\tb", b"x" * (NAME_LIMIT + 1), "\u00ad".encode()])
def test_what_is_no_name(raw):
    with pytest.raises(BrokenResponse, match="user name"):
        name_of(raw)


def test_passwords():
    assert password_of("pässwörd ".encode()) == "pässwörd "
    assert password_of(b"x" * PASSWORD_LIMIT)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"a\0b", b"x" * (PASSWORD_LIMIT + 1)])
def test_what_is_no_password(raw):
    with pytest.raises(BrokenResponse, match="password"):
        password_of(raw)


def test_secrets_are_in_no_text():
    assert "s3cret" not in repr(CheckPassword("joe", "s3cret")) + repr(CheckToken("joe", "s3cret"))


def test_a_broken_response_is_an_end():
    @guarded
    def mechanism(initial):
        yield from ()
        raise BrokenResponse("broken")

    with pytest.raises(StopIteration) as caught:
        next(mechanism(None))
    assert caught.value.value == Failed("broken")
