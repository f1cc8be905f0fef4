"""``postconf``: show and change main.cf and master.cf, with Postfix's arguments and output."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from postroad.admin import editconf
from postroad.admin.editconf import Edit
from postroad.admin.postconf import (
    CLASSES,
    UnknownNameError,
    View,
    expanded_words,
    fields_of,
    fold,
    matches,
    service_line,
)
from postroad.app.registry import registry
from postroad.base import mastercf
from postroad.base.config import Config, find_facts, load
from postroad.base.errors import PostroadError, Problem, Severity
from postroad.base.expand import ExpansionError
from postroad.base.maincf import split_setting
from postroad.base.mastercf import FIELDS, Service

_USAGE: Final = (
    "usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-c config_dir] [-C param_class]"
    " [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)]"
    " [-h (no names)] [-H (no values)] [-j (JSON)] [-l (lock types)] [-m (map types)] [-M (master.cf)]"
    " [-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)]"
    " [-P (master.cf parameters)] [-q (quiet)] [-v (verbose)] [-x (expand parameter values)] [-X (exclude)]"
    " [-# (comment-out)] [name...]"
)
_TABLES: Final = (
    "btree cdb cidr dbm environ fail hash inline internal ldap lmdb memcache mysql pcre pgsql pipemap proxy"
    " randmap regexp socketmap sqlite static tcp texthash unionmap unix"
)
_LISTS: Final = {"-a": "dovecot", "-A": "", "-l": "flock fcntl dotlock", "-m": _TABLES}
_EDITS: Final = {"-e": Edit.REPLACE, "-X": Edit.REMOVE, "-#": Edit.COMMENT}
_WITHOUT: Final = {"-b": "-b", "-t": "-t", "-T": "-T"}
#: Options of which only one may be given, and those that do not go with master.cf.
_ONE_OF: Final = (("-d", "-n"), ("-h", "-H"), ("-e", "-X", "-#"), ("-p", "-M", "-F", "-P"), ("-d", "-e"))
_MAIN_ONLY: Final = ("-d", "-n", "-C")


class _FatalError(Exception):
    """The command ends with ``postconf: fatal: ...`` and exit status 1."""


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; 0 also when a name is unknown, 1 for what is fatal to Postfix's postconf."""
    if "--help" in args:
        print(_USAGE)
        return 0
    try:
        return _run(directory, args)
    except (_FatalError, PostroadError) as error:
        print(f"postconf: fatal: {error}", file=sys.stderr)
    except ExpansionError as error:
        _warn(str(error))
        print("postconf: fatal: macro processing error", file=sys.stderr)
    return 1


def _run(directory: str | None, args: list[str]) -> int:
    try:
        options, words = getopt.getopt(args, "aAbc:C:deEfFhHjlmMno:pPqtT:vxX#")
    except getopt.GetoptError as error:
        print(f"postconf: {error.msg}", file=sys.stderr)
        raise _FatalError(_USAGE) from error
    letters = [letter for letter, _ in options]
    for listing, names in _LISTS.items():
        if listing in letters:
            print("\n".join(names.split()), end="\n" if names else "")
            return 0
    _check_options(letters)
    where = (
        next((value for letter, value in reversed(options) if letter == "-c"), directory) or "/etc/postfix"
    )
    edit = next((_EDITS[letter] for letter in letters if letter in _EDITS), None)
    if edit is None and words and "=" in words[0] and "-n" not in letters and "-d" not in letters:
        edit = Edit.REPLACE
    if edit is not None:
        return _change(where, edit, letters, words)
    return _Show(where, options).run(words)


def _check_options(letters: list[str]) -> None:
    for group in _ONE_OF:
        given = [letter for letter in group if letter in letters]
        if len(given) > 1:
            raise _FatalError(f"specify one of {' '.join(given)}")
    for mode in ("-M", "-F", "-P"):
        for letter in _MAIN_ONLY:
            if mode in letters and letter in letters:
                raise _FatalError(f"with option {mode}, do not specify {letter}")
    for letter in _WITHOUT:
        if letter in letters:
            raise _FatalError(f"{letter}: notices have built-in texts, and there is nothing to show")


def _warn(text: str) -> None:
    print(f"postconf: warning: {text}", file=sys.stderr)


class _Show:
    """What one call shows."""

    def __init__(self, directory: str, options: list[tuple[str, str]]) -> None:
        self.letters = {letter for letter, _ in options}
        self.config = _load(directory, master="-d" not in self.letters)
        self.classes = [word for letter, value in options if letter == "-C" for word in _classes(value)]
        overrides = dict(_override(value) for letter, value in options if letter == "-o")
        self.view = View(self.config, overrides, defaults="-d" in self.letters)
        self.folded = "-f" in self.letters
        self.services, _problems = mastercf.entries(self.config.texts[1])

    def run(self, words: list[str]) -> int:
        """Print what the names (or, without any, everything) mean, then warn of what nobody uses."""
        if "-M" in self.letters:
            self._services(words)
        elif "-F" in self.letters:
            self._parts(words, "-F", FIELDS)
        elif "-P" in self.letters:
            self._parts(words, "-P", ())
        else:
            self._parameters(words)
        if "-d" not in self.letters and "-q" not in self.letters:
            self._warn_of_problems()
        return 0

    def _parameters(self, words: list[str]) -> None:
        only_set = "-n" in self.letters
        names = words or self.view.names(self.classes or CLASSES)
        for name in names:
            try:
                self.view.text(name)
            except UnknownNameError:
                _warn(f"{name}: unknown parameter")
                continue
            if only_set and name not in self.view.set:
                continue
            self._print(name, self.view.expanded(name) if "-x" in self.letters else self.view.text(name))

    def _print(self, name: str, value: str) -> None:
        if "-j" in self.letters:
            import json

            print(json.dumps({name: " ".join(value.split())}))
        elif "-h" in self.letters:
            _put(fold(value, folded=self.folded))
        elif "-H" in self.letters:
            _put(name)
        else:
            _put(fold(f"{name} = {value}", folded=self.folded))

    def _services(self, words: list[str]) -> None:
        for pattern in words:
            if pattern.count("/") > 1:
                raise _FatalError("-M option requires service_name[/type]")
        unmatched = dict.fromkeys(words)
        for service in self.services:
            hits = [pattern for pattern in words if matches(pattern, service)]
            for pattern in hits:
                unmatched.pop(pattern, None)
            if hits or not words:
                words_of = expanded_words(service, self.view) if "-x" in self.letters else None
                _put(service_line(service, folded=self.folded, words=words_of))
        _warn_unmatched(unmatched)

    def _parts(self, words: list[str], option: str, known: tuple[str, ...]) -> None:
        """Print fields or overrides; each word is ``service[/type[/part]]``."""
        unmatched = dict.fromkeys(words)
        wanted = [(word, *_pattern(word, option, known)) for word in words]
        for service in self.services:
            for name, value in self._parts_of(service, option).items():
                hits = [w for w, pattern, part in wanted if matches(pattern, service) and part in ("*", name)]
                for word in hits:
                    unmatched.pop(word, None)
                if hits or not words:
                    self._print(f"{service.name}/{service.type}/{name}", value)
        _warn_unmatched(unmatched)

    def _parts_of(self, service: Service, option: str) -> Mapping[str, str]:
        expand = "-x" in self.letters
        if option == "-F":
            return fields_of(service, self.view if expand else None)
        overrides = dict(sorted(service.overrides.items()))
        if not expand:
            return overrides
        return {name: self.view.expanded_for(service, text) for name, text in overrides.items()}

    def _warn_of_problems(self) -> None:
        main = not {"-M", "-P"} & self.letters
        for problem in self.config.problems:
            file, _, number = problem.where.partition(":")
            path = f"{self.config.directory}/{file}"
            if problem.message.startswith("unused parameter") and (main or file == "master.cf"):
                _warn(f"{path}: {problem.message}")
            elif main and problem.message.startswith("overriding earlier entry"):
                _warn(f"{path}, line {number}: {problem.message}")
            elif problem.severity is Severity.WARNING and problem.message.startswith(
                ("logical", "read-only")
            ):
                _warn(f"{path}: {problem.message}")
        if main:
            for text in self.view.undefined():
                _warn(text)


def _put(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\n")


def _load(directory: str, *, master: bool) -> Config:
    """Read the configuration; what Postfix's postconf cannot read is fatal here too."""
    config = load(directory, registry(), find_facts(directory))
    for problem in config.errors:
        if text := _fatal_text(directory, problem):
            raise _FatalError(text)
    if master and not Path(directory, "master.cf").exists():
        _warn(f"open {directory}/master.cf: No such file or directory")
    return config


def _fatal_text(directory: str, problem: Problem) -> str:
    """Return what is to be said of a problem that keeps the files from being read; empty for others."""
    file, _, number = problem.where.partition(":")
    if problem.message.startswith("open "):
        return problem.message
    if file == "main.cf" and problem.message.startswith(("missing ", "null byte")):
        return f"{directory}/main.cf, line {number}: {problem.message}"
    if file == "master.cf" and problem.hint == "see master(5)":
        return f"file {directory}/master.cf: line {number}: {problem.message}"
    return ""


def _classes(value: str) -> tuple[str, ...]:
    names = value.replace(",", " ").split()
    for name in names:
        if name not in (*CLASSES, "all"):
            raise _FatalError(f'unknown -C option value "{name}" in "{value}"')
    return CLASSES if "all" in names else tuple(names)


def _override(text: str) -> tuple[str, str]:
    try:
        return split_setting(text)
    except ValueError as error:
        raise _FatalError(f"invalid parameter override: {text}: {error}") from error


def _pattern(word: str, option: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Split ``service[/type[/part]]`` into the service's pattern and the part, ``*`` for any."""
    what = "field" if known else "parameter"
    pieces = word.split("/")
    if len(pieces) > 3:
        raise _FatalError(f"{option} option requires service_name[/type[/{what}]]")
    part = pieces[2] if len(pieces) == 3 else "*"
    if known and part not in (*known, "*"):
        raise _FatalError(f'invalid service attribute name: "{part}"')
    return "/".join([*pieces[:2], *["*"][: 2 - len(pieces[:2])]]), part


def _warn_unmatched(words: Iterable[str]) -> None:
    for word in words:
        _warn(f'unmatched request: "{word}"')


def _change(directory: str, edit: Edit, letters: list[str], words: list[str]) -> int:
    """Change main.cf, or with -M, -F, -P master.cf."""
    mode = next((letter for letter in ("-M", "-F", "-P") if letter in letters), "-p")
    if not words:
        what = "parameter" if mode == "-p" else "service"
        raise _FatalError(f"missing {what} argument")
    requests = [_request(word, edit) for word in words]
    if mode == "-p":
        _change_main(Path(directory, "main.cf"), edit, dict(requests))
    else:
        _change_master(Path(directory, "master.cf"), edit, mode, requests)
    return 0


def _request(word: str, edit: Edit) -> tuple[str, str]:
    if "\n" in word or "\r" in word:
        raise _FatalError("-e, -X, or -# accepts no multi-line input")
    if word.lstrip().startswith("#"):
        raise _FatalError("-e, -X, or -# accepts no comment input")
    if edit is not Edit.REPLACE:
        if "=" in word:
            raise _FatalError("-X or -# requires parameter names without value")
        if not word.strip():
            raise _FatalError("-X or -# requires non-blank parameter names")
        return word.strip(), ""
    try:
        return split_setting(word)
    except ValueError as error:
        raise _FatalError(f'{error}: "{word}"') from error


def _change_main(path: Path, edit: Edit, values: Mapping[str, str]) -> None:
    double: list[str] = []

    def change(text: str) -> str:
        text, found = editconf.edit_main(text, edit, values)
        double.extend(found)
        return text

    editconf.rewrite(path, change)
    for name in double:
        _warn(f'{path}: multiple entries for "{name}"')


def _change_master(path: Path, edit: Edit, mode: str, requests: list[tuple[str, str]]) -> None:
    unmatched: set[tuple[str, str]] = set()

    def change(text: str) -> str:
        if mode == "-M":
            return editconf.edit_services(text, edit, {_service_of(name): value for name, value in requests})
        split = {_part_of(name, mode): value for name, value in requests}
        if mode == "-P":
            text, missing = editconf.edit_overrides(text, edit, split)
        else:
            text, missing = editconf.edit_fields(text, split)
        unmatched.update(missing)
        return text

    if (mode == "-F" and edit is not Edit.REPLACE) or (mode == "-P" and edit is Edit.COMMENT):
        raise _FatalError(f"{edit.value} is not possible with {mode}")
    editconf.rewrite(path, change)
    for pattern, part in sorted(unmatched):
        asked = f"{pattern}/{part}"
        value = f"={dict(requests)[asked]}" if edit is Edit.REPLACE else ""
        _warn(f'unmatched service_name/type: "{asked}{value}"')


def _service_of(name: str) -> str:
    if name.count("/") != 1:
        raise _FatalError("-Me, -MX or -M# requires service_name/type")
    return name


def _part_of(name: str, mode: str) -> tuple[str, str]:
    if name.count("/") != 2:
        what = "field_name" if mode == "-F" else "parameter"
        raise _FatalError(f"{mode}e or {mode}X requires service_name/type/{what}")
    service, _, part = name.rpartition("/")
    if mode == "-F" and part not in FIELDS:
        raise _FatalError(f'invalid service attribute name: "{part}"')
    return service, part
