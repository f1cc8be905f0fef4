"""SCRAM (RFC 5802, RFC 7677): both ends prove that they know the password, and nobody says it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from postroad.proto.sasl.server import (
    WRONG,
    BrokenResponse,
    Challenge,
    Done,
    Exchange,
    Failed,
    FindSecret,
    Mechanism,
    guarded,
    name_of,
)

#: Channel binding data by type, b"" where there is none.
Binding = Callable[[str], bytes]

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
_MALFORMED = "the SCRAM response is malformed"
_LIMIT = 4096  # bytes of one response
_FIRST = re.compile(  # RFC 5802 7: gs2-header, then client-first-message-bare
    r"((?P<flag>[ny]|p=(?P<type>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]*))?,)"
    r"(?P<bare>(?P<extension>m=[^,]*,)?n=(?P<name>[^,]*),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?)",
    re.DOTALL,
)
_FINAL = re.compile(
    r"(?P<unproved>c=(?P<binding>[A-Za-z0-9+/=]*),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=(?P<proof>[A-Za-z0-9+/=]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What is known of a user's password."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


def scram(name: str, nonce: str, *, binding: Binding | None = None, bound_offered: bool = False) -> Mechanism:
    """Return a SCRAM mechanism.

    ``name`` may end in -PLUS: then ``binding`` gives the channel's data.  ``bound_offered`` says that
    -PLUS was in the offer: a client that could bind and believes that we cannot has been deceived.
    """
    scheme = name.removesuffix("-PLUS")
    plus = scheme != name

    @guarded
    def run(initial: bytes | None) -> Exchange:
        first = _match(_FIRST, initial if initial is not None else (yield Challenge(b"")))
        data = _bound(first, plus=plus, binding=binding, bound_offered=bound_offered)
        username = name_of(_unescaped(first["name"]).encode())
        authzid = _unescaped(first["authzid"] or "")
        if first["extension"]:  # RFC 5802 5.1: no extension is known, so a mandatory one is an error
            return Failed("a SCRAM extension that is not supported", username)
        if authzid and name_of(authzid.encode()) != username:
            return Failed("the authorization identity is another's", username)
        keys: ScramKeys = yield FindSecret(username, scheme)
        both = first["nonce"] + nonce
        server_first = f"r={both},s={base64.b64encode(keys.salt).decode()},i={keys.iterations}"
        final = _match(_FINAL, (yield Challenge(server_first.encode())))
        expected = base64.b64encode(first[1].encode() + data).decode()
        same = hmac.compare_digest(final["binding"].encode(), expected.encode())
        if final["nonce"] != both or not same:
            return Failed("the channel binding or the nonce does not fit", username)
        signed = ",".join((first["bare"], server_first, final["unproved"])).encode()
        if not _proved(HASHES[scheme], keys, signed, final["proof"]):
            return Failed(WRONG, username)
        # RFC 4954 4: there is no place for data in the final reply, so the client answers once more.
        signature = hmac.digest(keys.server_key, signed, HASHES[scheme])
        yield Challenge(b"v=" + base64.b64encode(signature))
        return Done(username)

    return run


def _match(pattern: re.Pattern[str], response: bytes) -> re.Match[str]:
    if len(response) > _LIMIT:
        raise BrokenResponse("the SCRAM response is too long")
    try:
        found = pattern.fullmatch(response.decode())
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise BrokenResponse(_MALFORMED)
    return found


def _bound(first: re.Match[str], *, plus: bool, binding: Binding | None, bound_offered: bool) -> bytes:
    """Return the channel's data that the client has to know; b"" where none is wanted."""
    flag = first["flag"]
    if plus != flag.startswith("p"):
        raise BrokenResponse("a channel binding is wanted by one end only")
    if flag == "y" and bound_offered:  # RFC 5802 6: somebody took -PLUS out of the offer
        raise BrokenResponse("the client did not see that channel binding was offered")
    if not plus:
        return b""
    data = binding(first["type"]) if binding is not None else b""
    if not data:
        raise BrokenResponse("a channel binding type that is not supported")
    return data


def _unescaped(text: str) -> str:
    """Return a name with =2C and =3D replaced (RFC 5802 5.1); no other = may be there."""
    if re.search("=(?!2C|3D)", text):
        raise BrokenResponse(_MALFORMED)
    return text.replace("=2C", ",").replace("=3D", "=")


def _proved(hash_name: str, keys: ScramKeys, signed: bytes, proof: str) -> bool:
    try:
        raw = base64.b64decode(proof, validate=True)
    except ValueError:
        return False
    signature = hmac.digest(keys.stored_key, signed, hash_name)
    if len(raw) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(raw, signature, strict=True))
    return hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), keys.stored_key)
