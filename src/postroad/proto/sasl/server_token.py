"""XOAUTH2, OAUTHBEARER (RFC 7628) and EXTERNAL: somebody else has vouched for the client."""

from __future__ import annotations

import re

from postroad.proto.sasl.server import (
    WRONG,
    BrokenResponse,
    Challenge,
    CheckCertificate,
    CheckToken,
    Done,
    Exchange,
    Failed,
    guarded,
    name_of,
)

_LIMIT = 12288  # bytes of a response: the longest line of AUTH (RFC 4954 4), about
_TOKEN = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750 2.1
_GS2 = re.compile(r"[ny],(?:a=([^,\x01]*))?,")

#: RFC 7628 3.2.2; without a scope and a place to register there is nothing more to say.
_REFUSED = b'{"status":"invalid_token"}'
_REFUSED_X = b'{"status":"401","schemes":"bearer"}'


@guarded
def oauthbearer(initial: bytes | None) -> Exchange:
    """OAUTHBEARER: a GS2 header with the user's name, then key=value pairs."""
    text = _text(initial if initial is not None else (yield Challenge(b"")))
    header, *pairs = text.split("\1")
    gs2 = _GS2.fullmatch(header)
    if gs2 is None or pairs[-2:] != ["", ""]:
        raise BrokenResponse("the OAUTHBEARER response is malformed")
    authzid = (gs2[1] or "").replace("=2C", ",").replace("=3D", "=")
    return (yield from _judge(name_of(authzid.encode()) if authzid else "", pairs, _REFUSED))


@guarded
def xoauth2(initial: bytes | None) -> Exchange:
    """XOAUTH2: ``user=NAME ^A auth=Bearer TOKEN ^A ^A``."""
    text = _text(initial if initial is not None else (yield Challenge(b"")))
    first, *pairs = text.split("\1")
    if not first.startswith("user=") or pairs[-2:] != ["", ""]:
        raise BrokenResponse("the XOAUTH2 response is malformed")
    return (yield from _judge(name_of(first[5:].encode()), pairs, _REFUSED_X))


def _judge(username: str, pairs: list[str], refusal: bytes) -> Exchange:
    tokens = [pair[5:] for pair in pairs if pair.startswith("auth=")]
    token = _TOKEN.fullmatch(tokens[0]) if len(tokens) == 1 else None
    if token is None:
        raise BrokenResponse("there is no bearer token")
    found: str = yield CheckToken(username, token[1])
    if found:
        return Done(found)
    yield Challenge(refusal)  # RFC 7628 3.2.3: the client answers with ^A, and then it fails
    return Failed(WRONG, username)


def _text(response: bytes) -> str:
    if len(response) > _LIMIT:
        raise BrokenResponse("the token is too long")
    try:
        return response.decode()
    except UnicodeDecodeError:
        raise BrokenResponse("the token is not valid") from None


@guarded
def external(initial: bytes | None) -> Exchange:
    """EXTERNAL (RFC 4422 A): the client's certificate says who it is."""
    raw = initial if initial is not None else (yield Challenge(b""))
    username = name_of(raw) if raw else ""
    found: str = yield CheckCertificate(username)
    return Done(found) if found else Failed(WRONG, username)
