"""The right-hand sides of access tables (access(5)): what they ask for, done."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import CoroutineType
from typing import Any, ClassVar, Final, NamedTuple

from postroad.model.params import PROXY_FILTER
from postroad.model.reply import Reply
from postroad.policy import query as q
from postroad.policy.evaluation import run_inside
from postroad.policy.params import ACCESS_MAP_DEFER_CODE, ACCESS_MAP_REJECT_CODE
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, ServerError, Verdict

_WORD = re.compile(r"([^ \t]*)[ \t]*(.*)", re.DOTALL)
_CODE = re.compile("[45][0-9][0-9]")
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t\r\n\v\f]+|\Z)")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*(:.*)", re.DOTALL)  # RFC 5322 2.2
#: RFC 3463 3.2 has codes for senders and codes for recipients; a table may be asked about either.
_OF_SENDERS: Final = {"1": "7", "2": "8", "3": "7", "4": "7", "5": "0", "6": "7", "7": "7", "8": "8"}
_OF_RECIPIENTS: Final = {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5", "6": "6", "7": "3", "8": "2"}
_DETAILS: Final = {q.SENDER: _OF_SENDERS, q.RECIPIENT: _OF_RECIPIENTS}


class Subject(NamedTuple):
    """What a table was asked about: as a refusal names it, of what kind, and as a log line names it."""

    name: str
    kind: str
    datum: str


class _Act(NamedTuple):
    """One action: its word in capitals and the text behind it."""

    query: Query
    subject: Subject
    word: str
    text: str


class Actions:
    """Does what the values of one table say.

    Nothing but refusing, permitting and discarding ends the list; the other actions are noted in
    the transaction, for whom they concern.
    """

    __slots__ = ("_default", "_defer_code", "_reject_code", "_services", "_table")

    def __init__(self, services: Services, table: str, default: str) -> None:
        self._services = services
        self._table = table
        self._default = default
        self._reject_code = services.settings[ACCESS_MAP_REJECT_CODE]
        self._defer_code = services.settings[ACCESS_MAP_DEFER_CODE]

    async def do(self, query: Query, value: str, subject: Subject) -> Verdict:
        """Do what a value says.  ServerError for one that says nothing that can be done."""
        found = _WORD.match(value)
        assert found is not None
        word, text = found.groups()
        handler = self.WORDS.get(word.upper())
        if handler is not None:
            return handler(self, _Act(query, subject, word.upper(), text))
        if value.isdigit() and value.isascii():
            return PERMIT  # the time stamp of a login elsewhere
        if text and _CODE.fullmatch(word):
            return _refusal(int(word), f"{word[0]}.7.1", text, subject)
        return await self._run_list(query, value, subject)

    async def _run_list(self, query: Query, value: str, subject: Subject) -> Verdict:
        """Ask the restrictions and classes that the value names; they speak of the same subject."""
        if ":" in value:
            self._warn(f"access table {self._table} has entry with lookup table: {value}")
            self._warn("do not specify lookup tables inside SMTPD access maps")
            raise ServerError("define a restriction class and specify its name instead.")
        checks = self._services.lists.from_table(value, self._default)
        if not checks and not value.strip(", \t\r\n"):
            self._warn(f"access table {self._table} entry {value} has empty value")
            return PERMIT
        outer = query.name, query.kind
        query.name, query.kind = subject.name, subject.kind
        try:
            outcome: Any = run_inside(checks, query, f"access table {self._table} entry {value}")
            verdict: Verdict = await outcome if outcome.__class__ is CoroutineType else outcome
            return verdict
        finally:
            query.name, query.kind = outer

    def _warn(self, text: str) -> None:
        self._services.log.warning("smtpd", text)

    # --- one method for each action

    def _dunno(self, _act: _Act) -> Verdict:
        return None

    def _ok(self, _act: _Act) -> Verdict:
        return PERMIT

    def _reject(self, act: _Act) -> Verdict:
        return _refusal(self._reject_code, "5.7.1", act.text, act.subject)

    def _defer(self, act: _Act) -> Verdict:
        return _refusal(self._defer_code, "4.7.1", act.text, act.subject)

    def _defer_if_permit(self, act: _Act) -> Verdict:
        reply = _refusal(self._defer_code, "4.7.1", act.text, act.subject, "Service unavailable")
        return act.query.defer_if_permit(reply)

    def _defer_if_reject(self, act: _Act) -> Verdict:
        reply = _refusal(self._defer_code, "4.7.1", act.text, act.subject, "Service unavailable")
        act.query.defer_if_reject(reply)
        return None

    def _log(self, act: _Act) -> Verdict:
        act.query.note(act.word.lower(), act.text)
        return None

    def _hold(self, act: _Act) -> Verdict:
        if self._concerns_mail(act) and "HOLD" not in _actions(act):
            self._note(act, act.text or "triggers HOLD action")
            _actions(act)["HOLD"] = act.text
        return None

    def _discard(self, act: _Act) -> Verdict:
        if not self._concerns_mail(act):
            return None
        self._note(act, act.text or "triggers DISCARD action")
        _actions(act)["DISCARD"] = act.text
        act.query.discarded = True
        return PERMIT

    def _filter(self, act: _Act) -> Verdict:
        if self._concerns_mail(act):
            if ":" in act.text:
                self._note(act, f"triggers FILTER {act.text}")
                _actions(act)["FILTER"] = act.text
            else:
                fault = "requires transport:destination" if act.text else "has FILTER entry without value"
                self._warn_entry(act, fault)
        return None

    def _redirect(self, act: _Act) -> Verdict:
        if self._concerns_mail(act) and self._has_address(act):
            _actions(act)["REDIRECT"] = act.text
        return None

    def _bcc(self, act: _Act) -> Verdict:
        if self._concerns_mail(act) and self._has_address(act):
            _append(act, "BCC")
        return None

    def _prepend(self, act: _Act) -> Verdict:
        if not self._in_transaction(act):
            return None
        if act.query.command == "END-OF-MESSAGE":
            parameter = "smtpd_end_of_data_restrictions"
            self._warn(f"access table {self._table}: action PREPEND must be used before {parameter}")
        elif (field := _FIELD.match(act.text)) is not None:
            _append(act._replace(text="".join(field.groups())), "PREPEND")  # RFC 5322 4.5
        else:
            self._warn_entry(act, "requires header: text")
        return None

    # --- what they share

    def _concerns_mail(self, act: _Act) -> bool:
        """Whether there is a message that the action can be about."""
        if act.query.command == "ETRN":
            self._warn(
                f"access table {self._table}: action {act.word} is unavailable in smtpd_etrn_restrictions"
            )
            return False
        if self._services.settings[PROXY_FILTER]:
            unavailable = f"with {PROXY_FILTER.name} specified, action {act.word} is unavailable"
            self._warn(f"access table {self._table}: {unavailable}")
            return False
        return self._in_transaction(act)

    def _in_transaction(self, act: _Act) -> bool:
        if act.query.session.transaction.sender is not None:
            return True
        self._warn(
            f"access table {self._table}: with smtpd_delay_reject=no, action {act.word} is always skipped "
            "in Client host or Helo command restrictions"
        )
        return False

    def _has_address(self, act: _Act) -> bool:
        if "@" not in act.text:
            self._warn_entry(act, "requires user@domain target")
            return False
        self._note(act, f"triggers {act.word} {act.text}")
        return True

    def _note(self, act: _Act, text: str) -> None:
        act.query.note(act.word.lower(), f"<{act.subject.name}>: {act.subject.kind} {text}")

    def _warn_entry(self, act: _Act, fault: str) -> None:
        self._warn(f'access table {self._table} entry "{act.subject.datum}" {fault}')

    #: The words of access(5).
    WORDS: ClassVar[dict[str, Callable[[Actions, _Act], Verdict]]] = {
        "DUNNO": _dunno,
        "OK": _ok,
        "RELAY": _ok,
        "REJECT": _reject,
        "DEFER": _defer,
        "DEFER_IF_PERMIT": _defer_if_permit,
        "DEFER_IF_REJECT": _defer_if_reject,
        "INFO": _log,
        "WARN": _log,
        "HOLD": _hold,
        "DISCARD": _discard,
        "FILTER": _filter,
        "REDIRECT": _redirect,
        "BCC": _bcc,
        "PREPEND": _prepend,
    }


def _actions(act: _Act) -> dict[str, str]:
    return act.query.session.transaction.actions


def _append(act: _Act, name: str) -> None:
    """Add a line to an action that may be asked for several times."""
    actions = _actions(act)
    lines = actions[name].split("\n") if name in actions else []
    actions[name] = "\n".join([*lines, act.text.replace("\n", " ")])


def _refusal(code: int, status: str, text: str, subject: Subject, otherwise: str = "Access denied") -> Reply:
    found = _STATUS.match(text)
    if found is not None:
        status, text = fitted(found[1], subject.kind), text[found.end() :]
    return Reply(code, status, f"<{subject.name}>: {subject.kind} rejected: {text or otherwise}")


def fitted(status: str, kind: str) -> str:
    """Return an address status code as it can be said of a sender, a recipient, or neither."""
    if status[1:4] != ".1.":
        return status
    details = _DETAILS.get(kind)
    return "4.0.0" if details is None else f"4.1.{details.get(status[4:], '0')}"


def is_list(value: str) -> bool:
    """Return whether a value is a list of restrictions: no action, no reply, no number."""
    found = _WORD.match(value)
    assert found is not None
    word, text = found.groups()
    if word.upper() in Actions.WORDS or (value.isdigit() and value.isascii()):
        return False
    return not (text and _CODE.fullmatch(word))
