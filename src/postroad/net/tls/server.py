"""The server's side of TLS: certificates, protocols, ciphers; one per smtpd service."""

from __future__ import annotations

from collections.abc import Mapping

from OpenSSL import SSL

from postroad.base.params import Settings
from postroad.net.tls.chains import Chain, add_authorities, read_chains, read_pair
from postroad.net.tls.context import Verdicts, Verification, new_context, verify_without_failing
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import Files, content
from postroad.net.tls.params import (
    SMTPD_TLS_ASK_CCERT,
    SMTPD_TLS_CAFILE,
    SMTPD_TLS_CCERT_VERIFYDEPTH,
    SMTPD_TLS_CERT_FILE,
    SMTPD_TLS_CHAIN_FILES,
    SMTPD_TLS_DCERT_FILE,
    SMTPD_TLS_DKEY_FILE,
    SMTPD_TLS_ECCERT_FILE,
    SMTPD_TLS_ECKEY_FILE,
    SMTPD_TLS_FINGERPRINT_DIGEST,
    SMTPD_TLS_KEY_FILE,
    SMTPD_TLS_REQ_CCERT,
)
from postroad.net.tls.pipe import TlsPipe

_NO_NAMES: Mapping[str, bytes] = {}


class ServerTls:
    """Makes the TLS of each session of a service.

    ``mandatory``: the service demands TLS, so the parameters called mandatory count.  ``sni``: server
    name, or ``.domain`` for the names below it -> keys and chains in PEM.  TlsError when a certificate
    cannot be used.
    """

    def __init__(self, settings: Settings, files: Files, sni: Mapping[str, bytes] = _NO_NAMES, *, mandatory: bool = False) -> None:  # fmt: skip  # noqa: E501
        self._settings = settings
        self._mandatory = mandatory
        self._verdicts = Verdicts()
        #: What is wrong with chains of ``sni``: they are left out.
        self.problems: list[str] = []
        self.ready = False
        self.replace(files, sni)

    def replace(self, files: Files, sni: Mapping[str, bytes] = _NO_NAMES) -> None:
        """Give new sessions these certificates.  TlsError changes nothing."""
        settings = self._settings
        context = new_context()
        chains = self._chains(files)
        for chain in chains:
            chain.put_into(context)
        if settings[SMTPD_TLS_ASK_CCERT] or settings[SMTPD_TLS_REQ_CCERT]:
            if settings[SMTPD_TLS_CAFILE]:
                add_authorities(
                    context, settings[SMTPD_TLS_CAFILE], content(files, settings[SMTPD_TLS_CAFILE])
                )
            verify_without_failing(context, settings[SMTPD_TLS_CCERT_VERIFYDEPTH])
        self._context = context
        self.ready = bool(chains) or settings[SMTPD_TLS_CERT_FILE] == "none"

    def accept(self) -> TlsPipe:
        """Return the TLS of a new session."""
        verification = Verification(self._settings[SMTPD_TLS_FINGERPRINT_DIGEST], self._verdicts)
        return TlsPipe(SSL.Connection(self._context, None), server=True, verification=verification)

    def _chains(self, files: Files) -> list[Chain]:
        settings = self._settings
        found: list[Chain] = []
        if settings[SMTPD_TLS_CHAIN_FILES]:
            for path in settings[SMTPD_TLS_CHAIN_FILES]:
                found += read_chains(path, content(files, path))
            return found
        for certificate, key in (
            (settings[SMTPD_TLS_CERT_FILE], settings[SMTPD_TLS_KEY_FILE]),
            (settings[SMTPD_TLS_DCERT_FILE], settings[SMTPD_TLS_DKEY_FILE]),
            (settings[SMTPD_TLS_ECCERT_FILE], settings[SMTPD_TLS_ECKEY_FILE]),
        ):
            if certificate and certificate != "none":
                found.append(read_pair(certificate, content(files, certificate), key, content(files, key)))
        return found


__all__ = ["ServerTls", "TlsError"]
