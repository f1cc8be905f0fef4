"""Which tests there are, and what follows from each: what the settings of a postscreen service say."""

from __future__ import annotations

from typing import Final

from postroad.base.params import Param, Settings
from postroad.listener import params as p
from postroad.listener.commands import Commands
from postroad.listener.security import tls_level
from postroad.model import params as model
from postroad.proto.postscreen import DialogueOptions
from postroad.proto.screening import ORDER, Action, Terms, Test

#: The parameter with how long each test counts, in the order of a Record; None: the lists say it.
_LIVES: Final = (p.GREET_TTL, p.DNSBL_MAX_TTL, p.PIPELINING_TTL, p.NON_SMTP_TTL, p.BARE_NEWLINE_TTL)
_LATE: Final = {
    Test.PIPELINING: (p.PIPELINING_ENABLE, p.PIPELINING_ACTION),
    Test.NON_SMTP: (p.NON_SMTP_ENABLE, p.NON_SMTP_ACTION),
    Test.BARE_NEWLINE: (p.BARE_NEWLINE_ENABLE, p.BARE_NEWLINE_ACTION),
}


class Times:
    """For how long clients are tested, in seconds."""

    __slots__ = ("command_time", "greet_wait")

    def __init__(self, settings: Settings) -> None:
        self.greet_wait = float(settings[p.GREET_WAIT])
        self.command_time = float(settings[p.COMMAND_TIME])


class Rules:
    """The rules of one service.  ``lists``: there are lists in the DNS.

    ``words`` stand in the log for who is let through and who is denied; a ``threshold`` is a rank.
    """

    __slots__ = (
        "_allow_threshold", "deny_action", "digits", "dnsbl_action", "greet_action", "terms", "threshold",
        "words",
    )  # fmt: skip

    def __init__(self, settings: Settings, *, lists: bool) -> None:
        self.words = ("ALLOW", "DENY") if settings[p.RESPECTFUL_LOGGING] else ("WHITE", "BLACK")
        self.digits = settings[model.DELAY_LOGGING_RESOLUTION_LIMIT]
        self.deny_action = _action(settings, p.DENYLIST_ACTION)
        self.greet_action = _action(settings, p.GREET_ACTION)
        self.dnsbl_action = _action(settings, p.DNSBL_ACTION)
        self.threshold = settings[p.DNSBL_THRESHOLD]
        self._allow_threshold = settings[p.DNSBL_ALLOW_THRESHOLD]
        enabled = Test.PREGREET if settings[p.GREET_BANNER] else Test.NONE
        enabled |= Test.DNSBL if lists else Test.NONE
        for test, (used, _) in _LATE.items():
            enabled |= test if settings[used] else Test.NONE
        one, two, three, four, five = (settings[each] for each in _LIVES)
        self.terms = Terms(enabled, (one, two, three, four, five))

    def speaks_for(self, rank: int) -> bool:
        """Whether a rank lets a client off the other tests."""
        return self._allow_threshold < 0 and rank <= self._allow_threshold and rank < self.threshold

    def life(self, test: Test) -> int:
        """Return for how many seconds a test counts; NONE: one that is failed and forgiven."""
        return self.terms.lives[ORDER.index(test)] if test else self.terms.shortest


def options_of(settings: Settings, commands: Commands, *, tls: bool) -> DialogueOptions:
    """Return the options of every dialogue; ``tls``: there are certificates."""
    level = tls_level(settings)
    return DialogueOptions(
        hostname=settings[model.MYHOSTNAME],
        size_limit=settings[model.MESSAGE_SIZE_LIMIT],
        line_limit=settings[model.LINE_LENGTH_LIMIT],
        command_limit=settings[p.COMMAND_COUNT],
        smtputf8=settings[model.SMTPUTF8_ENABLE],
        vrfy=not settings[p.DISABLE_VRFY],
        helo_required=settings[p.HELO_REQUIRED],
        starttls=level != "none" and tls,
        tls_required=level == "encrypt",
        actions={test: _action(settings, action) for test, (_, action) in _LATE.items()},
        is_forbidden=commands.is_forbidden,
        filtered=commands.filtered,
    )


def _action(settings: Settings, param: Param[str]) -> Action:
    text = settings[param]
    return Action.IGNORE if text == "continue" else Action(text)
