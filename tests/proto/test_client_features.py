import pytest

from postroad.proto.client_features import parse_discard, parse_features

REPLY = (
    b"250-mail.example greets you\n250-SIZE 5000\n250-PIPELINING\n250-auth plain LOGIN\n250-DSN\n250 CHUNKING"
)


def test_each_line_is_a_keyword():
    features = parse_features(REPLY)
    assert features.name == "mail.example"
    assert features.offers == {"SIZE", "PIPELINING", "AUTH", "DSN", "CHUNKING"}
    assert features.size_limit == 5000
    assert features.auth == ("plain", "LOGIN")
    assert features.pipelining and features.dsn and features.chunking and features.size  # noqa: PT018
    assert not features.eight_bit
    assert not features.smtputf8


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        (b"SIZE", 0),
        (b"SIZE 0", 0),
        (b"SIZE=700", 700),
        (b"size 700 more", 700),
        (b"SIZE -1", 0),
        (b"SIZE " + b"9" * 21, 0),
        (b"SIZE \xb2", 0),
    ],
)
def test_a_size_limit_is_a_number_or_none(line, limit):
    features = parse_features(b"250-there\n250 " + line)
    assert features.size
    assert features.size_limit == limit


def test_smtputf8_means_8bitmime_too():
    assert parse_features(b"250-there\n250 SMTPUTF8").eight_bit


def test_ignored_keywords_are_not_offered():
    discard, logs = parse_discard(["size", "dsn", "unknown"])
    assert logs
    features = parse_features(REPLY, discard)
    assert not features.size
    assert not features.dsn
    assert features.pipelining


def test_silent_discard_is_no_keyword_and_not_logged():
    assert parse_discard(["silent-discard", "auth"]) == (frozenset({"AUTH"}), False)


@pytest.mark.parametrize(
    "raw", [b"250", b"250 ", b"250-\n250 \n", b"250-x\n250-\xff\xfe\n250 =", b"250-x\nAB"]
)
def test_odd_replies_offer_nothing(raw):
    assert not parse_features(raw).offers


def test_auth_with_an_equals_sign_counts():
    assert parse_features(b"250-x\n250-AUTH=LOGIN\n250 AUTH PLAIN").auth == ("LOGIN", "PLAIN")
