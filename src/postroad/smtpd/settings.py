"""What the machine needs of a service's settings."""

from __future__ import annotations

from postroad.base.params import Settings
from postroad.model import params as model
from postroad.proto.options import BareNewline, ServerOptions
from postroad.smtpd import params as p


def options_of(settings: Settings, *, local: bool = False) -> ServerOptions:
    """Return the options of every session of a service; ``local`` is sendmail(1)'s own."""
    mode = settings[p.FORBID_BARE_NEWLINE]
    return ServerOptions(
        hostname=settings[model.MYHOSTNAME],
        banner=settings[p.BANNER],
        smtputf8=settings[model.SMTPUTF8_ENABLE],
        strict_smtputf8=settings[model.STRICT_SMTPUTF8],
        strict_envelopes=settings[p.STRICT_ENVELOPES],
        leading_hyphen=settings[model.ALLOW_MIN_USER],
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
        replace_stray_cr=settings[p.REPLACE_STRAY],
        noop_words=bool(settings[p.NOOP_COMMANDS]),
        forbidden_words=bool(settings[p.FORBIDDEN_COMMANDS]) and not local,
        soft_bounce=settings[model.SOFT_BOUNCE],
        footer=bool(settings[p.REJECT_FOOTER]) and not local,
        local=local,
    )
