"""The settings of the server's machine, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class BareNewline(Enum):
    """What becomes of a line feed without carriage return (smtpd_forbid_bare_newline)."""

    ALLOW = "no"  # a line end like any other, also around the final dot
    NORMALIZE = "normalize"  # a line end, but never part of the end of data
    NOTE = "note"  # as NORMALIZE, and the log has it
    REJECT = "reject"  # as NORMALIZE, and the message is refused; a command ends the session


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Sizes are bytes; a limit of 0 is none where Postfix has it so.

    ``filtered``: a hook may replace each command.  ``footer`` has each refusal shown to the hook that may
    add to it; ``local`` leaves out what guards
    against strangers: the session is one of sendmail(1).  ``tls_required``: nothing is done for a client
    before STARTTLS.  ``auth_twice`` offers AUTH a second time, in the form of before its standard.
    """

    hostname: str = "localhost.localdomain"
    banner: str = "localhost.localdomain ESMTP"
    smtputf8: bool = True
    strict_smtputf8: bool = False
    strict_envelopes: bool = False
    leading_hyphen: bool = False
    numeric_domain: bool = False
    helo_required: bool = False
    vrfy: bool = True
    open_early: bool = False
    size_limit: int = 10240000
    line_limit: int = 2048
    recipient_limit: int = 1000
    recipient_overshoot: int = 1000
    soft_errors: int = 10
    hard_errors: int = 20
    junk_limit: int = 100
    error_sleep: float = 0.0
    forbid_pipelining: bool = False
    bare_newline: BareNewline = BareNewline.NORMALIZE
    bare_newline_code: int = 550
    strict_end: bool = True
    replace_stray_cr: bool = True
    noop_words: bool = False
    forbidden_words: bool = False
    starttls: bool = False
    tls_required: bool = False
    auth: bool = False
    auth_twice: bool = False
    response_limit: int = 12288
    soft_bounce: bool = False
    local: bool = False
    footer: bool = False
    filtered: bool = False
