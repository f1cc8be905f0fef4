"""A worker's certificates: what the supervisor gave last, and who uses it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from postroad.app.certificates import Certificates, demands_tls
from postroad.base.params import Settings
from postroad.net.tls.errors import NotGiven, TlsError
from postroad.net.tls.server import ServerTls

T = TypeVar("T")


class Keyring:
    """The certificates in force.

    Whoever uses them is attached, and told of new ones as long as it lives: that includes the services of
    former settings, whose clients may still begin with TLS.
    """

    def __init__(self, certificates: Certificates | None = None) -> None:
        self.certificates = certificates if certificates is not None else Certificates()
        self._users: weakref.WeakKeyDictionary[Any, Callable[[Any, Certificates], None]] = (
            weakref.WeakKeyDictionary()
        )

    def server(self, settings: Settings) -> ServerTls:
        """Return the TLS of an smtpd service, which follows new certificates.  TlsError as ServerTls."""
        now = self.certificates
        made = ServerTls(settings, now.files, now.names_for(settings), mandatory=demands_tls(settings))
        return self.attach(made, lambda tls, new: tls.replace(new.files, new.names_for(settings)))

    def file(self, path: str) -> bytes | None:
        """Return what the supervisor has read from a file, None for one that it has not or could not."""
        return self.certificates.files.get(path)

    def attach(self, user: T, take: Callable[[T, Certificates], None]) -> T:
        """Call ``take(user, certificates)`` for new certificates while ``user`` lives; returns ``user``.

        ``take`` may raise TlsError: the user keeps what it has.  It must not hold ``user`` itself.
        """
        self._users[user] = take
        return user

    def replace(self, certificates: Certificates) -> list[str]:
        """Give every user new certificates; returns what keeps any of them from using them.

        Nobody names the files of former settings any more: their services keep what they have.
        """
        self.certificates = certificates
        problems = []
        for user, take in list(self._users.items()):
            try:
                take(user, certificates)
            except NotGiven:
                continue
            except TlsError as error:
                problems.append(str(error))
        return problems
