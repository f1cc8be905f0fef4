"""PLAIN (RFC 4616) and LOGIN: the client says its password."""

from __future__ import annotations

from postroad.proto.sasl.server import (
    WRONG,
    BrokenResponse,
    Challenge,
    CheckPassword,
    Done,
    Exchange,
    Failed,
    guarded,
    name_of,
    password_of,
)


@guarded
def plain(initial: bytes | None) -> Exchange:
    """PLAIN: ``authzid NUL authcid NUL password`` in one response."""
    response = initial if initial is not None else (yield Challenge(b""))
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise BrokenResponse("the PLAIN response is malformed")
    name = name_of(parts[1])
    # RFC 4616 2: an authorization identity is another user's name; nobody may act for another here.
    if parts[0] and name_of(parts[0]) != name:
        return Failed("the authorization identity is another's", name)
    return (yield from _check(name, parts[2]))


@guarded
def login(initial: bytes | None) -> Exchange:
    """LOGIN: name and password, each asked for.  A name may come as initial response."""
    name = name_of(initial if initial is not None else (yield Challenge(b"Username:")))
    return (yield from _check(name, (yield Challenge(b"Password:"))))


def _check(name: str, raw: bytes) -> Exchange:
    try:
        password = password_of(raw)
    except BrokenResponse as error:
        return Failed(str(error), name)
    if (yield CheckPassword(name, password)):
        return Done(name)
    return Failed(WRONG, name)
