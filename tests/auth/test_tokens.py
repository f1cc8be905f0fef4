import base64
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from postroad.auth.tokens import Tokens, read_keys
from postroad.base.clock import TestClock
from postroad.base.errors import TableUnavailable
from postroad.tables.context import TableContext

NOW = 1_700_000_000
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OTHER = ECKey.generate_key("P-256", {"kid": "ec"})
KEYS = json.dumps(
    {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False), {"kty": "PQ", "kid": "new"}]}
)
CLAIMS = {"iss": "https://id.example", "aud": "smtp", "exp": NOW + 300, "email": "Joe@example.org"}


def token(claims=None, key=EC, algorithm="ES256", header=None, **changes):
    body = {k: v for k, v in {**(claims or CLAIMS), **changes}.items() if v is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid} | (header or {}), body, key, algorithms=[algorithm])


@pytest.fixture
def tokens(tmp_path):
    (tmp_path / "keys.json").write_text(KEYS)
    tables = TableContext(clock=TestClock(NOW))
    return Tokens(
        str(tmp_path / "keys.json"),
        issuer="https://id.example",
        audience="smtp",
        claim="email",
        tables=tables,
        clock=TestClock(NOW),
    )


def test_a_token_that_holds(tokens):
    tokens.load()
    assert tokens.whose(token()) == "joe@example.org"
    assert tokens.whose(token(key=RSA, algorithm="RS256")) == "joe@example.org"
    assert tokens.whose(token(aud=["imap", "smtp"], nbf=NOW, email_verified=True)) == "joe@example.org"
    assert tokens.whose(token(exp=NOW - 30)) == "joe@example.org"  # clocks differ


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "imap"},
        {"aud": None},
        {"aud": ["imap"]},
        {"aud": {"smtp": 1}},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"nbf": NOW + 61},
        {"nbf": "x"},
        {"email": None},
        {"email": ["joe@example.org"]},
        {"email": ""},
        {"email": "joe\nsasl_username=root"},
        {"email": "x" * 600},
        {"email_verified": False},
    ],
)
def test_claims_that_do_not_hold(tokens, changes):
    assert tokens.whose(token(**changes)) == ""


def test_signatures_that_do_not_hold(tokens):
    good = token()
    head, body, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"ec"}').decode().rstrip("=")
    hs256 = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"ec"}').decode().rstrip("=")
    # The public key, which anybody has, taken for a shared secret.
    mac = hmac.digest(EC.as_pem(private=False), f"{hs256}.{body}".encode(), "sha256")
    forged = [
        token(key=OTHER),
        token(header={"kid": "unknown"}),
        f"{head}.{body}.",
        f"{none}.{body}.",
        f"{hs256}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}",
        f"{head}.{body[:-4]}AAAA.{signature}",
        good + ".x",
        good[:-10],
        "",
        "..",
    ]
    assert [tokens.whose(each) for each in forged] == [""] * len(forged)


def test_a_shared_secret_is_no_key(tokens):
    secret = OctKey.generate_key(256, {"kid": "ec"})
    assert tokens.whose(token(key=secret, algorithm="HS256")) == ""
    with pytest.raises(ValueError, match="no set of public keys"):
        read_keys(json.dumps({"keys": [secret.as_dict(private=True)]}))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": 5}', '{"keys": []}', '{"keys": [5]}', '{"keys": [{}]}']
)
def test_files_without_keys(text):
    with pytest.raises(ValueError, match="no set of public keys"):
        read_keys(text)


def test_keys_that_cannot_be_read_are_no_answer(tokens, tmp_path):
    (tmp_path / "keys.json").unlink()
    with pytest.raises(TableUnavailable):
        tokens.whose(token())
    with pytest.raises(TableUnavailable):
        tokens.load()


@given(
    st.text(max_size=60)
    | st.lists(st.binary(max_size=40), min_size=3, max_size=3).map(
        lambda parts: ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)
    )
)
def test_whatever_a_token_is_there_is_an_answer(text):
    made = Tokens.__new__(Tokens)
    made._keys = type("Keys", (), {"get": lambda self: read_keys(KEYS)})()
    assert made.whose(text) == ""
