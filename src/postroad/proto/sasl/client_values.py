"""What a login at another server is made of: the credentials, an exchange, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from postroad.base.errors import PostroadError

#: Bytes of one challenge, without its base64.  RFC 4954 4 lets a line have 12288 bytes with it.
CHALLENGE_LIMIT = 9216


class SaslError(PostroadError):
    """The exchange cannot go on.  ``str()`` says why, first in the SASL library's words; never a secret.

    The server has not kept to the mechanism, or has not proved who it is: the session ends, and
    nothing more is sent in it.
    """


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in.  ``token``: the password is an OAuth access token, for mechanisms that take one.

    ``authzid`` is for whom the user acts, "" for himself.  Secrets are not in the repr.
    """

    username: str
    password: str = field(repr=False)
    authzid: str = ""
    token: bool = False


class ClientExchange(Protocol):
    """One exchange by one mechanism (RFC 4422), without base64."""

    name: str

    def initial(self) -> bytes | None:
        """Return the initial response; None when the server speaks first.  Called once, at the start."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge.  SaslError: send ``*`` or hang up, the server is not to be trusted."""
        ...

    def finished(self, final: bytes | None = None) -> None:
        """The server says that the login has succeeded; ``final`` is what it gave with that, if anything.

        SaslError when the mechanism proves the server too, and it has not proved itself.
        """
        ...


def text(value: str) -> bytes:
    """Return a user name or a password as it is sent: UTF-8, or what bytes the table had."""
    return value.encode("utf-8", "surrogateescape")


def check_challenge(challenge: bytes) -> None:
    """Raise SaslError for a challenge that is longer than any mechanism needs."""
    if len(challenge) > CHALLENGE_LIMIT:
        raise SaslError("bad protocol / cancel: the challenge is too long")
