"""The server's side of TLS: certificates, protocols, ciphers; one per smtpd service."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from OpenSSL import SSL

from postroad.base.params import Param, Settings
from postroad.net.tls import ciphers
from postroad.net.tls import params as p
from postroad.net.tls.chains import Chain, add_authorities, file_of, read_chains, read_pair
from postroad.net.tls.context import Verdicts, Verification, new_context, verify_without_failing
from postroad.net.tls.dh import FFDHE2048
from postroad.net.tls.errors import TlsError, reason_of
from postroad.net.tls.files import Files, named, self_signed_path
from postroad.net.tls.pipe import TlsPipe
from postroad.net.tls.sni import SESSION_ID, ServerNames, Sni

_NO_NAMES: Final[Sni] = {}
#: Certificate and key, in Postfix's order.
PAIRS: Final[Sequence[tuple[Param[str], Param[str]]]] = (
    (p.SMTPD_TLS_CERT_FILE, p.SMTPD_TLS_KEY_FILE),
    (p.SMTPD_TLS_DCERT_FILE, p.SMTPD_TLS_DKEY_FILE),
    (p.SMTPD_TLS_ECCERT_FILE, p.SMTPD_TLS_ECKEY_FILE),
)
#: What a client may call us by ALPN (RFC 7301); one that wants to speak something else, as a browser
#: does that was led here (ALPACA, CVE-2021-3618), is not served.
_PROTOCOLS = (b"smtp", b"esmtp")


class ServerTls:
    """Makes the TLS of each session of a service.

    ``mandatory``: the service demands TLS, so the parameters called mandatory count.  TlsError when a
    certificate cannot be used; it names the file or the parameter.
    """

    def __init__(self, settings: Settings, files: Files, sni: Sni = _NO_NAMES, *, mandatory: bool = False) -> None:  # fmt: skip  # noqa: E501
        self._settings = settings
        self._mandatory = mandatory
        #: Whether clients are asked for a certificate.
        self.asks = settings[p.SMTPD_TLS_ASK_CCERT] or (mandatory and settings[p.SMTPD_TLS_REQ_CCERT])
        self._digest = digest_of(settings)
        self._verdicts = Verdicts()
        self._names = ServerNames({})
        #: The chains that are served to clients who name no server.
        self.chains: list[Chain] = []
        #: Whether there is a certificate, or none is wanted.
        self.ready = False
        self.replace(files, sni)

    def replace(self, files: Files, sni: Sni = _NO_NAMES) -> None:
        """Give new sessions these certificates.  TlsError changes nothing."""
        chains = self._chains(files)
        names = ServerNames(sni, self._names)
        try:
            context = self._context(files)
        except ValueError as error:
            raise TlsError(str(error)) from None
        for chain in chains:
            chain.put_into(context)
        if sni:
            context.set_tlsext_servername_callback(names.choose)
        self._serving, self._names, self.chains = context, names, chains
        self.ready = bool(chains) or self._settings[p.SMTPD_TLS_CERT_FILE].lower() == "none"

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

    def _context(self, files: Files) -> SSL.Context:
        """Return a context with all but the certificates."""
        settings = self._settings
        context = new_context()
        grade, text, exclude = self._strength()
        if self.asks:
            exclude = (*exclude, "aNULL")  # nobody shows a certificate under these
        self._set_groups(context)
        if settings[p.SMTPD_TLS_EECDH_GRADE].lower() == "none":
            exclude = (*exclude, "kEECDH")
        allowed = ciphers.protocols(text)
        ciphers.restrict(context, settings, allowed, ciphers.cipher_list(settings, grade, exclude))
        self._set_sessions(context)
        self._set_dh(context, files)
        context.set_alpn_select_callback(_choose_protocol)
        if self.asks:
            self._ask(context, files)
        return context

    def _strength(self) -> tuple[str, str, tuple[str, ...]]:
        """Return the grade of ciphers, the protocols, and the ciphers to leave out."""
        settings = self._settings
        exclude = settings[p.SMTPD_TLS_EXCLUDE_CIPHERS]
        if not self._mandatory:
            return settings[p.SMTPD_TLS_CIPHERS], settings[p.SMTPD_TLS_PROTOCOLS], exclude
        exclude = (*exclude, *settings[p.SMTPD_TLS_MANDATORY_EXCLUDE_CIPHERS])
        return settings[p.SMTPD_TLS_MANDATORY_CIPHERS], settings[p.SMTPD_TLS_MANDATORY_PROTOCOLS], exclude

    def _set_groups(self, context: SSL.Context) -> None:
        settings = self._settings
        grade = settings[p.SMTPD_TLS_EECDH_GRADE].lower()
        if grade in ("auto", "none"):
            ciphers.set_usual_groups(context, settings)
        elif grade == "strong":
            ciphers.set_groups(context, [settings[p.TLS_EECDH_STRONG_CURVE]])
        elif grade == "ultra":
            ciphers.set_groups(context, [settings[p.TLS_EECDH_ULTRA_CURVE]])
        else:
            raise ValueError(f'smtpd_tls_eecdh_grade: unknown grade "{grade}"')

    def _set_sessions(self, context: SSL.Context) -> None:
        """Let clients go on with sessions by tickets; nothing is kept here for it."""
        settings = self._settings
        context.set_session_id(SESSION_ID)
        seconds = settings[p.SMTPD_TLS_SESSION_CACHE_TIMEOUT]
        if seconds:
            context.set_timeout(seconds)
        else:
            context.set_options(SSL.OP_NO_TICKET)
        if settings[p.SMTPD_TLS_ALWAYS_ISSUE_SESSION_IDS]:
            context.set_session_cache_mode(SSL.SESS_CACHE_SERVER | SSL.SESS_CACHE_NO_INTERNAL)

    def _set_dh(self, context: SSL.Context, files: Files) -> None:
        path = self._settings[p.SMTPD_TLS_DH1024_PARAM_FILE]
        pem = FFDHE2048 if path.lower() in ("", "auto") else named(files, path)[1]
        try:
            with file_of(pem) as name:
                context.load_tmp_dh(name)
        except SSL.Error as error:
            raise TlsError(f"{path}: {reason_of(error)}") from None

    def _ask(self, context: SSL.Context, files: Files) -> None:
        """Ask clients for their certificates."""
        settings = self._settings
        if settings[p.SMTPD_TLS_CAFILE]:
            add_authorities(context, named(files, settings[p.SMTPD_TLS_CAFILE]))
        if settings[p.SMTPD_TLS_CAPATH]:
            context.load_verify_locations(None, settings[p.SMTPD_TLS_CAPATH])
        if settings[p.TLS_APPEND_DEFAULT_CA]:
            context.set_default_verify_paths()
        verify_without_failing(context, settings[p.SMTPD_TLS_CCERT_VERIFYDEPTH])


def digest_of(settings: Settings) -> str:
    """Return hashlib's name of the digest for fingerprints; TlsError if there is none of this name."""
    name = settings[p.SMTPD_TLS_FINGERPRINT_DIGEST].lower()
    try:
        hashlib.new(name, usedforsecurity=False).digest()
    except (ValueError, TypeError):
        raise TlsError(f'smtpd_tls_fingerprint_digest: no message digest is called "{name}"') from None
    return name


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> bytes:
    chosen = next((name for name in offered if name in _PROTOCOLS), None)
    if chosen is None:
        # The exception is what makes OpenSSL send the alert no_application_protocol (RFC 7301 3.2).
        raise TlsError(f"the client wants to speak none of {', '.join(map(bytes.decode, _PROTOCOLS))}")
    return chosen
