"""CRAM-MD5 (RFC 2195): the client proves that it knows the password by a digest of a challenge."""

from __future__ import annotations

import hmac
from collections.abc import Callable

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

#: Gives HMAC-MD5 of a challenge under a user's password, in hexadecimal digits.
Digester = Callable[[bytes], str]


def cram_md5(challenge: bytes) -> Mechanism:
    """Return a CRAM-MD5 mechanism; no ``challenge`` may be used twice."""

    @guarded
    def run(initial: bytes | None) -> Exchange:
        if initial is not None:
            raise BrokenResponse("CRAM-MD5 has no initial response")
        response = yield Challenge(challenge)
        raw_name, _, digest = response.rpartition(b" ")
        if len(digest) != 32:
            raise BrokenResponse("the CRAM-MD5 response is malformed")
        username = name_of(raw_name)
        digester: Digester = yield FindSecret(username, "CRAM-MD5")
        if hmac.compare_digest(digester(challenge).encode(), digest):
            return Done(username)
        return Failed(WRONG, username)

    return run
