"""OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's and Microsoft's older form of it), the client's side."""

from __future__ import annotations

from postroad.proto.sasl.client_values import Credentials, SaslError, check_challenge, text


class _Bearer:
    """What both share: one message with the token, and a last word when the server refuses it."""

    name = ""
    _last = b""

    def __init__(self, message: bytes) -> None:
        self._message: bytes | None = message
        self._refused = False

    def initial(self) -> bytes | None:
        """Return everything there is to say."""
        message, self._message = self._message, None
        return message

    def respond(self, challenge: bytes) -> bytes:
        """Answer what the server says of a token that it refuses, so that it can fail the exchange."""
        check_challenge(challenge)
        if self._message is not None:
            return self.initial() or b""
        if self._refused:
            raise SaslError("bad protocol / cancel: the server asks for more than the mechanism has")
        self._refused = True
        return self._last

    def finished(self, final: bytes | None = None) -> None:  # noqa: ARG002 - there is no such thing here
        """Nothing was to be proved, but a token that was refused has not logged anybody in."""
        if self._refused:
            raise SaslError("bad protocol / cancel: the server refused the token and took it")


class OauthBearer(_Bearer):
    """RFC 7628 3."""

    name = "OAUTHBEARER"
    _last = b"\x01"  # RFC 7628 3.2.3

    def __init__(self, credentials: Credentials, host: str, port: int) -> None:
        # RFC 5801 4: = and , in the name would be taken for the header's own.
        name = (credentials.authzid or credentials.username).replace("=", "=3D").replace(",", "=2C")
        pairs = [f"auth=Bearer {credentials.password}"]
        if host:
            pairs.insert(0, f"host={host}")
        if port:
            pairs.insert(-1, f"port={port}")
        super().__init__(text(f"n,a={name},\x01" + "\x01".join(pairs) + "\x01\x01"))


class Xoauth2(_Bearer):
    """``user=NAME^Aauth=Bearer TOKEN^A^A``; a refusal is answered with nothing."""

    name = "XOAUTH2"

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(text(f"user={credentials.username}\x01auth=Bearer {credentials.password}\x01\x01"))
