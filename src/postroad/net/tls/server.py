"""The server's side of TLS: certificates, protocols, ciphers; one per smtpd service."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Final

from OpenSSL import SSL

from postroad.base.params import Param, Settings
from postroad.net.tls import params as p
from postroad.net.tls.chains import Chain, read_chains, read_pair
from postroad.net.tls.context import Verdicts, Verification
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import Files, named, self_signed_path
from postroad.net.tls.pipe import TlsPipe
from postroad.net.tls.server_context import FILES, ServerContexts
from postroad.net.tls.sni import ServerNames, Sni

_NO_NAMES: Final[Sni] = {}
#: Certificate and key, in Postfix's order.
PAIRS: Final[Sequence[tuple[Param[str], Param[str]]]] = (
    (p.SMTPD_TLS_CERT_FILE, p.SMTPD_TLS_KEY_FILE),
    (p.SMTPD_TLS_DCERT_FILE, p.SMTPD_TLS_DKEY_FILE),
    (p.SMTPD_TLS_ECCERT_FILE, p.SMTPD_TLS_ECKEY_FILE),
)


class ServerTls:
    """Makes the TLS of each session of a service.

    ``mandatory``: the service demands TLS, so the parameters called mandatory count.  TlsError when a
    certificate cannot be used; it names the file or the parameter.
    """

    def __init__(self, settings: Settings, files: Files, sni: Sni = _NO_NAMES, *, mandatory: bool = False) -> None:  # fmt: skip  # noqa: E501
        self._settings = settings
        self._contexts = ServerContexts(settings, mandatory=mandatory)
        self._digest = digest_of(settings)
        self._verdicts = Verdicts()
        self._names: ServerNames | None = None
        self._others: tuple[bytes | None, ...] = ()
        self._given: tuple[dict[str, bytes], dict[str, bytes]] | None = None
        self._paths = [self_signed_path(settings), *settings[p.SMTPD_TLS_CHAIN_FILES]]
        self._paths += [settings[each] for each in (*chain.from_iterable(PAIRS), *FILES)]
        #: The chains that are served to clients who name no server.
        self.chains: list[Chain] = []
        #: Whether there is a certificate, or none is wanted.
        self.ready = False
        self.replace(files, sni)

    def replace(self, files: Files, sni: Sni = _NO_NAMES) -> None:
        """Give new sessions these certificates.  TlsError changes nothing.

        What is the same for this service is no change: its clients can go on with their sessions.
        """
        given = {path: files[path] for path in self._paths if path in files}, dict(sni)
        if given == self._given:
            return
        chains = self._chains(files)
        others = tuple(files.get(self._settings[each]) for each in FILES)
        names = ServerNames(
            sni, partial(self._contexts.make, files), self._names if others == self._others else None
        )
        try:
            context = self._contexts.make(files)
        except ValueError as error:
            raise TlsError(str(error)) from None
        for each in chains:
            each.put_into(context)
        if sni:
            context.set_tlsext_servername_callback(names.choose)
        self._serving, self._names, self._others, self.chains = context, names, others, chains
        self._given = given
        self.ready = bool(chains) or self._settings[p.SMTPD_TLS_CERT_FILE].lower() == "none"

    @property
    def asks(self) -> bool:
        """Whether clients are asked for a certificate."""
        return self._contexts.asks

    def accept(self) -> TlsPipe:
        """Return the TLS of a new session."""
        verification = Verification(self._digest, self._verdicts)
        return TlsPipe(SSL.Connection(self._serving, None), server=True, verification=verification)

    def _chains(self, files: Files) -> list[Chain]:
        settings = self._settings
        paths = settings[p.SMTPD_TLS_CHAIN_FILES]
        if paths:
            return read_chains([named(files, path) for path in paths])
        found = [
            read_pair(named(files, settings[certificate]), named(files, settings[key]))
            for certificate, key in PAIRS
            if settings[certificate] and settings[certificate].lower() != "none"
        ]
        path = self_signed_path(settings)
        if not found and not settings[p.SMTPD_TLS_CERT_FILE] and path in files:
            return read_chains([(path, files[path])])
        return found


def digest_of(settings: Settings) -> str:
    """Return hashlib's name of the digest for fingerprints; TlsError if there is none of this name."""
    name = settings[p.SMTPD_TLS_FINGERPRINT_DIGEST].lower()
    try:
        hashlib.new(name, usedforsecurity=False).digest()
    except (ValueError, TypeError):
        raise TlsError(f'smtpd_tls_fingerprint_digest: no message digest is called "{name}"') from None
    return name
