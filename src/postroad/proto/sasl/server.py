"""The server's side of SASL mechanisms: what they want, and how they end.

A mechanism is a generator.  It yields a ``Challenge`` and is sent the client's response, or it yields
a question and is sent the answer; it returns ``Done`` or ``Failed``.  Who drives it knows the users;
a question that cannot be answered now is no answer: the driver ends the exchange.

    mechanism = plain(initial)             # the initial response, None when there was none
    wish = next(mechanism)                 # Challenge(b"") or CheckPassword(...)
    wish = mechanism.send(answer)          # until StopIteration, whose value is the end
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from postroad.proto.sasl.common import NAME_LIMIT, PASSWORD_LIMIT, saslprep

#: What is said of a wrong password, and of a name that nobody has: the two must not differ.
WRONG = "authentication failure"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this to the client, and send its response in."""

    data: bytes


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Is this the user's password?  The answer is a bool."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindSecret:
    """What is stored for the user under a scheme ("SCRAM-SHA-256", "CRAM-MD5")?

    The answer is what that mechanism computes with (``ScramKeys``, ``Digester``); for a user that is
    not there, one that never fits.
    """

    username: str
    scheme: str


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Whose is this bearer token?  The answer is a user's name, "" when the token does not hold.

    ``username`` is who the client says it is, "" when it says nothing; a token of somebody else does
    not hold.
    """

    username: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckCertificate:
    """Whose is the client's certificate?  The answer and ``username`` are as for a token."""

    username: str


@dataclass(frozen=True, slots=True)
class Done:
    """The client is who it says it is."""

    username: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It is not, or it broke the mechanism.  ``reason`` is for the log."""

    reason: str
    username: str = ""


Wish = Challenge | CheckPassword | FindSecret | CheckToken | CheckCertificate
End = Done | Failed
Exchange = Generator[Wish, Any, End]
Mechanism = Callable[[bytes | None], Exchange]


class BrokenResponse(Exception):  # noqa: N818 - the client's, not ours
    """A response is not what the mechanism demands; the text is for the log."""


def name_of(raw: bytes) -> str:
    """Return a user's name as it is compared: SASLprep, lower case as Dovecot has it.

    BrokenResponse for one that is empty, too long or not a name.
    """
    if len(raw) > NAME_LIMIT:
        raise BrokenResponse("the user name is too long")
    try:
        name = saslprep(raw.decode())
    except ValueError:
        raise BrokenResponse("the user name is not valid") from None
    if not name:
        raise BrokenResponse("the user name is empty")
    return name.lower()


def password_of(raw: bytes) -> str:
    """Return a password as it was typed; BrokenResponse for one that is empty, too long or no text."""
    if not raw or len(raw) > PASSWORD_LIMIT:
        raise BrokenResponse("the password is too long" if raw else "the password is empty")
    if b"\0" in raw:
        raise BrokenResponse("the password is not valid")
    try:
        return raw.decode()
    except ValueError:
        raise BrokenResponse("the password is not valid") from None


def guarded(mechanism: Mechanism) -> Mechanism:
    """Return the mechanism with its BrokenResponse made an end."""

    def run(initial: bytes | None) -> Exchange:
        try:
            return (yield from mechanism(initial))
        except BrokenResponse as error:
            return Failed(str(error))

    return run
