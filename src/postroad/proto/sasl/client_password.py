"""PLAIN, LOGIN, CRAM-MD5 and EXTERNAL, the client's side: nothing in them proves the server."""

from __future__ import annotations

import hmac

from postroad.proto.sasl.client_values import Credentials, SaslError, check_challenge, text

_TOO_MANY = "bad protocol / cancel: the server asks for more than the mechanism has"


class Plain:
    """RFC 4616."""

    name = "PLAIN"

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._sent = False

    def initial(self) -> bytes | None:
        """Return everything there is to say."""
        self._sent = True
        who = self._credentials
        return b"\0".join((text(who.authzid), text(who.username), text(who.password)))

    def respond(self, challenge: bytes) -> bytes:
        """Answer the empty challenge of a server that does not take the initial response."""
        check_challenge(challenge)
        if self._sent:
            raise SaslError(_TOO_MANY)
        return self.initial() or b""

    def finished(self, final: bytes | None = None) -> None:
        """Nothing was to be proved."""


class Login:
    """LOGIN, which no standard describes: the user name, then the password, whatever is asked for."""

    name = "LOGIN"

    def __init__(self, credentials: Credentials) -> None:
        self._answers = [text(credentials.password), text(credentials.username)]

    def initial(self) -> bytes | None:
        """The server speaks first."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """Answer in order: servers' prompts differ."""
        check_challenge(challenge)
        if not self._answers:
            raise SaslError(_TOO_MANY)
        return self._answers.pop()

    def finished(self, final: bytes | None = None) -> None:
        """Nothing was to be proved."""


class CramMd5:
    """RFC 2195."""

    name = "CRAM-MD5"

    def __init__(self, credentials: Credentials) -> None:
        self._credentials: Credentials | None = credentials

    def initial(self) -> bytes | None:
        """The server speaks first."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """Answer with the keyed digest of the challenge."""
        check_challenge(challenge)
        who, self._credentials = self._credentials, None
        if who is None:
            raise SaslError(_TOO_MANY)
        if not challenge:
            # An answer to nothing in particular could be used anywhere.
            raise SaslError("bad protocol / cancel: the challenge is empty")
        digest = hmac.new(text(who.password), challenge, "md5").hexdigest()
        return text(who.username) + b" " + digest.encode()

    def finished(self, final: bytes | None = None) -> None:
        """Nothing was to be proved."""


class External:
    """RFC 4422 A: the server knows us by our certificate."""

    name = "EXTERNAL"

    def __init__(self, credentials: Credentials) -> None:
        self._identity: bytes | None = text(credentials.authzid or credentials.username)

    def initial(self) -> bytes | None:
        """Return for whom we act, which may be empty."""
        identity, self._identity = self._identity, None
        return identity

    def respond(self, challenge: bytes) -> bytes:
        """Answer the empty challenge of a server that does not take the initial response."""
        check_challenge(challenge)
        if self._identity is None:
            raise SaslError(_TOO_MANY)
        return self.initial() or b""

    def finished(self, final: bytes | None = None) -> None:
        """Nothing was to be proved."""
