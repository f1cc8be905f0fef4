"""What the machine needs of a service's settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from postroad.base.params import Settings
from postroad.model import params as model
from postroad.net.tls.params import SMTPD_TLS_REQ_CCERT
from postroad.proto.options import BareNewline, ServerOptions
from postroad.smtpd import params as p


class TlsLevel(Enum):
    """When a service's sessions are encrypted."""

    PLAIN = "none"
    MAY = "may"
    ENCRYPT = "encrypt"
    WRAPPER = "wrapper"  # from the first byte


def tls_level(settings: Settings) -> TlsLevel:
    """Return what the settings say in one way or another; wrapper mode overrides the level."""
    if settings[p.TLS_WRAPPERMODE]:
        return TlsLevel.WRAPPER
    level = settings[p.TLS_LEVEL]
    if level:
        return {"none": TlsLevel.PLAIN, "may": TlsLevel.MAY}.get(level, TlsLevel.ENCRYPT)
    if settings[p.ENFORCE_TLS]:
        return TlsLevel.ENCRYPT
    return TlsLevel.MAY if settings[p.USE_TLS] else TlsLevel.PLAIN


@dataclass(frozen=True, slots=True)
class Security:
    """What a service asks of TLS and AUTH.  Limits are events in anvil_rate_time_unit, 0 for none."""

    level: TlsLevel
    loglevel: int
    timeout: float  # seconds for shaking hands
    needs_certificate: bool
    auth_needs_tls: bool
    new_tls_limit: int
    auth_limit: int

    @property
    def wrapper(self) -> bool:
        """Whether sessions begin with TLS."""
        return self.level is TlsLevel.WRAPPER


def security_of(settings: Settings) -> Security:
    """Return what the settings of a service say of TLS and AUTH."""
    level = tls_level(settings)
    mandatory = level in (TlsLevel.ENCRYPT, TlsLevel.WRAPPER)
    return Security(
        level=level,
        loglevel=settings[p.TLS_LOGLEVEL],
        timeout=float(settings[p.STARTTLS_TIMEOUT]),
        # Where TLS is a client's own choice, one without a certificate could as well go without TLS.
        needs_certificate=mandatory and settings[SMTPD_TLS_REQ_CCERT],
        auth_needs_tls=mandatory or settings[p.TLS_AUTH_ONLY],
        new_tls_limit=settings[p.NEW_TLS_RATE],
        auth_limit=settings[p.AUTH_RATE],
    )


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a service waits, in seconds.

    With ``whole_requests`` a deadline is that of a request, and content earns time by its ``data_rate``,
    in bytes per second.
    """

    timeout: float
    whole_requests: bool
    data_rate: int
    proxy_timeout: float


def timing_of(settings: Settings) -> Timing:
    """Return what the settings of a service say of waiting."""
    return Timing(
        timeout=float(settings[p.TIMEOUT]),
        whole_requests=settings[p.PER_REQUEST_DEADLINE],
        data_rate=settings[p.MIN_DATA_RATE],
        proxy_timeout=float(settings[p.PROXY_TIMEOUT]),
    )


def options_of(settings: Settings, *, local: bool = False, auth: bool = False) -> ServerOptions:
    """Return the options of every session of a service.

    ``local`` is sendmail(1)'s own; ``auth``: there is somebody who knows users.
    """
    mode = settings[p.FORBID_BARE_NEWLINE]
    level = TlsLevel.PLAIN if local else tls_level(settings)
    return ServerOptions(
        hostname=settings[model.MYHOSTNAME],
        banner=settings[p.BANNER],
        smtputf8=settings[model.SMTPUTF8_ENABLE],
        strict_smtputf8=settings[model.STRICT_SMTPUTF8],
        strict_envelopes=settings[p.STRICT_ENVELOPES],
        leading_hyphen=settings[model.ALLOW_MIN_USER],
        numeric_domain=settings[model.RESOLVE_NUMERIC_DOMAIN],
        helo_required=settings[p.HELO_REQUIRED] and not local,
        vrfy=not settings[p.DISABLE_VRFY],
        open_early=not settings[p.DELAY_OPEN],
        size_limit=settings[model.MESSAGE_SIZE_LIMIT],
        line_limit=settings[model.LINE_LENGTH_LIMIT],
        # sendmail(1) hands over what its user wrote: no one is to be slowed down or cut short.
        recipient_limit=0 if local else settings[p.RECIPIENT_LIMIT],
        recipient_overshoot=settings[p.RECIPIENT_OVERSHOOT],
        soft_errors=settings[p.SOFT_ERRORS],
        hard_errors=settings[p.HARD_ERRORS],
        junk_limit=settings[p.JUNK_LIMIT],
        error_sleep=0.0 if local else float(settings[p.ERROR_SLEEP]),
        forbid_pipelining=settings[p.FORBID_PIPELINING],
        bare_newline=BareNewline("normalize" if mode == "yes" else mode),
        bare_newline_code=settings[p.BARE_NEWLINE_CODE],
        strict_end=settings[p.STRICT_END] or mode != "normalize",
        replace_stray_cr=settings[p.REPLACE_STRAY],
        noop_words=bool(settings[p.NOOP_COMMANDS]),
        forbidden_words=bool(settings[p.FORBIDDEN_COMMANDS]) and not local,
        soft_bounce=settings[model.SOFT_BOUNCE],
        footer=bool(settings[p.REJECT_FOOTER] or settings[p.REJECT_FOOTER_MAPS]) and not local,
        filtered=bool(settings[p.COMMAND_FILTER]) and not local,
        local=local,
        starttls=level in (TlsLevel.MAY, TlsLevel.ENCRYPT),
        tls_required=level is TlsLevel.ENCRYPT,
        auth=auth,
        auth_twice=settings[p.BROKEN_AUTH_CLIENTS],
        response_limit=settings[p.RESPONSE_LIMIT],
    )
