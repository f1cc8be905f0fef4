"""``regexp:file`` and ``pcre:file``: patterns and their answers; the first that fits counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import regex

from postroad.base.errors import TableUnavailable
from postroad.tables.context import TableContext
from postroad.tables.lines import Warn
from postroad.tables.local import LocalTable
from postroad.tables.perl import is_common, translate, ungreedy
from postroad.tables.posix import Translator
from postroad.tables.rulefile import Blocks, is_negated, rule_source
from postroad.tables.template import Template, parse_template

#: Seconds that one pattern may take; a key that takes longer could not be looked up.
TIME_LIMIT = 0.25
#: Keys up to this length (characters) go through ``re``, which is fast but cannot be stopped.
_SHORT = 256

_POSIX_FLAGS = "imx"
_PERL_FLAGS = "imsxAEUX"


class Matcher:
    """One expression, compiled.  No key, however it is made, keeps it busy beyond TIME_LIMIT."""

    __slots__ = ("_fast", "_slow", "groups")

    def __init__(self, text: str, flags: int, *, risky: bool) -> None:
        # only what is harmless on a short text is given to an engine without a time limit
        if risky:
            self._fast = None
            self._slow = _compile(text, flags)
            self.groups: int = self._slow.groups
        else:
            self._fast = re.compile(text, flags)
            self._slow = None
            self.groups = self._fast.groups

    def search(self, key: str) -> Any:
        """Return the match, or None; TableUnavailable when the time is over."""
        fast = self._fast
        if fast is not None and len(key) <= _SHORT:
            return fast.search(key)
        if self._slow is None and fast is not None:
            self._slow = _compile(fast.pattern, fast.flags)
        try:
            return self._slow.search(key, timeout=TIME_LIMIT)
        except TimeoutError:
            raise TableUnavailable(f"a pattern takes more than {TIME_LIMIT} s") from None


def _compile(text: str, flags: int) -> Any:
    wanted = regex.VERSION0
    for name in ("IGNORECASE", "MULTILINE", "DOTALL", "VERBOSE", "ASCII"):
        if flags & getattr(re, name):
            wanted |= getattr(regex, name)
    return regex.compile(text, wanted)


def posix_matcher(pattern: str, options: set[str]) -> Matcher:
    """Compile a pattern of a regexp: table; ``options`` are the flags that are on."""
    multiline = "m" in options
    translated = Translator(pattern, extended="x" in options, multiline=multiline)
    flags = re.ASCII | (re.IGNORECASE if "i" in options else 0) | (re.MULTILINE if multiline else re.DOTALL)
    return Matcher(translated.text, flags, risky=translated.risky)


def perl_matcher(pattern: str, options: set[str]) -> Matcher:
    """Compile a pattern of a pcre: table; ``options`` are the flags that are on."""
    text = translate(pattern, multiline="m" in options, dollar_end_only="E" in options)
    if "U" in options:
        text = ungreedy(text)
    if "A" in options:
        text = rf"\A(?:{text})"
    # as in PCRE, classes such as \w know ASCII only, whatever the text's characters are
    flags: int = re.ASCII
    letters = (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL), ("x", re.VERBOSE))
    for letter, flag in letters:
        flags |= flag if letter in options else 0
    return Matcher(text, flags, risky="U" in options or _is_risky(pattern))


def _is_risky(pattern: str) -> bool:
    if not is_common(pattern):
        return True
    try:
        return Translator(pattern).risky
    except ValueError:
        return True


class Dialect(NamedTuple):
    """What regexp: and pcre: differ in."""

    name: str
    letters: str
    initial: str
    make: Callable[[str, set[str]], Matcher]


REGEXP = Dialect("regexp", _POSIX_FLAGS, "ix", posix_matcher)
PCRE = Dialect("pcre", _PERL_FLAGS, "is", perl_matcher)


class Rule:
    """A pattern with its answer; without one it is an ``if``, and ``end`` the rule behind its endif."""

    __slots__ = ("answer", "end", "matcher", "negated")

    def __init__(self, matcher: Matcher, answer: Template | None, *, negated: bool) -> None:
        self.matcher = matcher
        self.negated = negated
        self.answer = answer
        self.end = 0


class Patterns(LocalTable):
    """Rules ``/pattern/flags answer``, ``!/pattern/``, ``if`` ... ``endif``; ``$1`` is a group's text.

    Letters match whatever their case unless the flag ``i`` turns that off.
    """

    pattern = True

    def __init__(self, name: str, dialect: Dialect, argument: str, context: TableContext) -> None:
        super().__init__(name)
        self._source = rule_source(
            argument, lambda path, lines: _Reader(path, dialect, context.warn).read(lines), context
        )

    def get(self, key: str) -> str | None:
        """Return the answer of the first rule that fits."""
        rules = self._source.get()
        at, end = 0, len(rules)
        try:
            while at < end:
                rule = rules[at]
                at += 1
                match = rule.matcher.search(key)
                if (match is None) is rule.negated:
                    if rule.answer is not None:
                        return rule.answer.fill(match)
                elif rule.answer is None:
                    at = rule.end
        except TableUnavailable as error:
            raise TableUnavailable(f"{self.name}: {error} with {key[:80]!r}") from None
        return None

    def load(self) -> None:
        """Read the rules."""
        self._source.get()


class _Reader:
    """Reads a file of rules; what cannot be used is warned of and left out, as Postfix does."""

    def __init__(self, path: str, dialect: Dialect, warn: Warn) -> None:
        self._where = f"{dialect.name} map {path}"
        self._dialect = dialect
        self._warn = warn
        self._rules: list[Rule] = []
        self._blocks: Blocks[Rule] = Blocks(self._where, warn)

    def read(self, lines: Iterable[tuple[int, str]]) -> list[Rule]:
        for number, line in lines:
            try:
                self._line(number, line)
            except (re.error, regex.error) as error:
                place = f" at offset {error.pos}" if error.pos is not None else ""
                self._warn(f"{self._where}, line {number}: error in regex{place}: {error.msg}")
            except ValueError as error:
                self._warn(f"{self._where}, line {number}: {error}: skipping this rule")
        for rule in self._blocks.end():
            rule.end = len(self._rules)
        return self._rules

    def _line(self, number: int, line: str) -> None:
        word = line[:5].lower()
        if not line[0].isalnum():
            self._rule(number, line)
        elif word[:2] == "if" and not word[2:3].isalnum():
            negated, matcher, rest = self._pattern(line[2:].lstrip())
            if rest:
                self._warn(f"{self._where}, line {number}: ignoring extra text after IF statement: {rest!r}")
            rule = Rule(matcher, None, negated=negated)
            self._rules.append(rule)
            self._blocks.open(number, rule)
        elif word == "endif":
            block = self._blocks.close()
            if block is None:
                self._warn(f"{self._where}, line {number}: ignoring ENDIF without matching IF")
            else:
                block.end = len(self._rules)
        else:
            self._warn(f"{self._where}, line {number}: ignoring unrecognized request")

    def _rule(self, number: int, line: str) -> None:
        negated, matcher, rest = self._pattern(line)
        if not rest:
            self._warn(f"{self._where}, line {number}: no replacement text: using empty string")
        answer = parse_template(rest)
        if negated and answer.highest:
            raise ValueError("$number found in negative match replacement text")
        if answer.highest > matcher.groups:
            raise ValueError(f'out of range replacement index "{answer.highest}"')
        self._rules.append(Rule(matcher, answer, negated=negated))

    def _pattern(self, text: str) -> tuple[bool, Matcher, str]:
        """Take ``!/pattern/flags`` off; return negation, pattern and what follows."""
        negated, text = is_negated(text)
        if not text or text[0].isalnum():
            raise ValueError("no regexp: need /pattern/" if not text else f"bad delimiter {text[0]!r}")
        end = _closing(text)
        options = set(self._dialect.initial)
        at = end + 1
        while at < len(text) and not text[at].isspace():
            if text[at] not in self._dialect.letters:
                raise ValueError(f'unknown regexp option "{text[at]}"')
            options ^= {text[at]}
            at += 1
        return negated, self._dialect.make(text[1:end], options), text[at:].strip()


def _closing(text: str) -> int:
    at = 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == text[0]:
            return at
        at += 1
    raise ValueError(f'no closing regexp delimiter "{text[0]}"')
