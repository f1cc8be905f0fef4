"""The contexts of a service's sessions: protocols, ciphers, groups, clients' certificates; no keys."""

from __future__ import annotations

from typing import Final

from OpenSSL import SSL

from postroad.base.params import Settings
from postroad.net.tls import ciphers
from postroad.net.tls import params as p
from postroad.net.tls.chains import add_authorities, file_of
from postroad.net.tls.context import new_context, verify_without_failing
from postroad.net.tls.dh import FFDHE2048
from postroad.net.tls.errors import TlsError, reason_of
from postroad.net.tls.files import Files, named

#: The parameters whose files the contexts are made of.
FILES: Final = (p.SMTPD_TLS_CAFILE, p.SMTPD_TLS_DH1024_PARAM_FILE)
#: Sessions are gone on with by those who began them only: without a name of this sort OpenSSL refuses
#: to go on with one that has a client's certificate.
_SESSION_ID = b"postroad smtpd"
#: What a client may call us by ALPN (RFC 7301); one that wants to speak something else, as a browser
#: does that was led here (ALPACA, CVE-2021-3618), is not served.
_PROTOCOLS = (b"smtp", b"esmtp")


class ServerContexts:
    """Makes contexts by a service's settings."""

    def __init__(self, settings: Settings, *, mandatory: bool) -> None:
        self._settings = settings
        self._mandatory = mandatory
        #: Whether clients are asked for a certificate.
        self.asks = settings[p.SMTPD_TLS_ASK_CCERT] or (mandatory and settings[p.SMTPD_TLS_REQ_CCERT])

    def make(self, files: Files) -> SSL.Context:
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
        context.set_session_id(_SESSION_ID)
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
            try:
                context.load_verify_locations(None, settings[p.SMTPD_TLS_CAPATH])
            except SSL.Error as error:
                raise TlsError(f"{settings[p.SMTPD_TLS_CAPATH]}: {reason_of(error)}") from None
        if settings[p.TLS_APPEND_DEFAULT_CA]:
            context.set_default_verify_paths()
        verify_without_failing(context, settings[p.SMTPD_TLS_CCERT_VERIFYDEPTH])


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> bytes:
    chosen = next((name for name in offered if name in _PROTOCOLS), None)
    if chosen is None:
        # The exception is what makes OpenSSL send the alert no_application_protocol (RFC 7301 3.2).
        raise TlsError(f"the client wants to speak none of {', '.join(map(bytes.decode, _PROTOCOLS))}")
    return chosen
