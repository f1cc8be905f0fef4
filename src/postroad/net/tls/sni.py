"""Certificates by the name of the server that a client asks for (SNI, RFC 6066 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from OpenSSL import SSL

from postroad.net.tls.chains import read_chains
from postroad.net.tls.context import Verification
from postroad.net.tls.errors import TlsError

#: tls_server_sni_maps: server name, or ``.domain`` for the names below it -> keys and chains in PEM.
Sni = Mapping[str, bytes]
_KEPT = 1000  # contexts; each has some tens of KiB


class ServerNames:
    """The chains of tls_server_sni_maps, each read when it is first asked for.

    ``make`` makes a context with all settings of the service: once it is chosen, its ciphers, its
    authorities and its callbacks count, not those of the context that the session began with.
    ``former``: what is unchanged since then is not read again.
    """

    def __init__(self, sni: Sni, make: Callable[[], SSL.Context], former: ServerNames | None = None) -> None:
        self._make = make
        self._pem = {name.lower(): pem for name, pem in sni.items()}
        wanted = set(self._pem.values())
        kept = former.contexts.items() if former is not None else ()
        #: By the text of their chains; None for one that cannot be used.
        self.contexts: dict[bytes, SSL.Context | None] = {pem: each for pem, each in kept if pem in wanted}

    def choose(self, connection: SSL.Connection) -> None:
        """Serve the chain of the name that the client asks for, or of a domain above it, if there is one."""
        noted = connection.get_app_data()
        asked = (connection.get_servername() or b"").decode("ascii", "replace")
        if not asked or not isinstance(noted, Verification):
            return
        context = self._find(asked.lower())
        if context is None:
            noted.unmatched_name = asked
        else:
            noted.server_name = asked
            connection.set_context(context)

    def _find(self, name: str) -> SSL.Context | None:
        pem = self._pem.get(name)
        while pem is None and "." in name:
            name = name.partition(".")[2]
            pem = self._pem.get(f".{name}")
        if pem is None:
            return None
        if pem not in self.contexts:
            if len(self.contexts) >= _KEPT:
                self.contexts.clear()
            try:
                self.contexts[pem] = fill(self._make(), name, pem)
            except TlsError:  # it was named when the set was looked at; others go on
                self.contexts[pem] = None
        return self.contexts[pem]


def fill(context: SSL.Context, name: str, pem: bytes) -> SSL.Context:
    """Put the chains of a server name into a context; TlsError if they cannot be used."""
    for chain in read_chains([(name, pem)]):
        chain.put_into(context)
    return context
