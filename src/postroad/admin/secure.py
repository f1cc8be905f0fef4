"""What a client wants before it hands in a message: TLS, and to be known to the server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from postroad.admin.dialogue import Dialogue
from postroad.admin.submit import Refused
from postroad.base.errors import PostroadError
from postroad.proto.replies import ServerReply
from postroad.proto.sasl.client import ClientExchange, Credentials, choose


class NotSecure(PostroadError):  # noqa: N818 - a state of the conversation
    """The server does not offer what is wanted; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Security:
    """``host`` is the name that the certificate must have.

    ``context`` None: no TLS; ``at_once``: from the first byte, else by STARTTLS.  A password goes out in
    clear only with ``in_clear``.  ``mechanism`` "": the strongest that the server offers.
    """

    host: str
    context: ssl.SSLContext | None = None
    at_once: bool = False
    credentials: Credentials | None = None
    mechanism: str = ""
    in_clear: bool = False

    def begin(self, dialogue: Dialogue) -> None:
        """Do what comes before the greeting."""
        if self.context is not None and self.at_once:
            dialogue.encrypt(self.context, self.host)

    def go_on(self, dialogue: Dialogue, name: str) -> None:
        """Do what comes behind EHLO.  NotSecure, Refused, DialogueLost: no message was handed in."""
        if self.context is not None and not dialogue.encrypted:
            if not dialogue.features.starttls:
                raise NotSecure("the server does not offer STARTTLS")
            _good("STARTTLS", dialogue.starttls(self.context, self.host, name))
        if self.credentials is not None:
            _good("AUTH", dialogue.login(self._exchange(dialogue)))

    def _exchange(self, dialogue: Dialogue) -> ClientExchange:
        assert self.credentials is not None
        offered = dialogue.features.auth
        if not offered:
            raise NotSecure("the server does not offer AUTH")
        wanted = self.mechanism.upper()
        found = choose(
            offered,
            self.credentials,
            options=() if dialogue.encrypted or self.in_clear else ("noplaintext",),
            matches=(lambda name: name == wanted) if wanted else None,
            tls=dialogue.encrypted,
            host=self.host,
        )
        if isinstance(found, str):
            hint = "" if dialogue.encrypted else " without TLS"
            raise NotSecure(f"AUTH{hint}: {found}; the server offers {' '.join(offered)}")
        return found


def verifying_context(authority: str = "") -> ssl.SSLContext:
    """Return a context that takes certificates of the system's authorities, or of those in a file.

    OSError for a file that cannot be used.
    """
    return ssl.create_default_context(cafile=authority or None)


def trusting_context() -> ssl.SSLContext:
    """Return a context that takes any certificate: whoever is in between can read and change everything."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _good(what: str, reply: ServerReply) -> None:
    if not reply.good:
        raise Refused(what, reply)
