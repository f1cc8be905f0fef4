"""Changing main.cf and master.cf in place: comments and order stay, the file is whole at any time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path

from postroad.admin.postconf import matches, service_line
from postroad.base.errors import PostroadError
from postroad.base.maincf import BLANKS, Line
from postroad.base.mastercf import FIELDS, Service, service_of


class Edit(Enum):
    """What becomes of the entries named."""

    REPLACE = "-e"
    REMOVE = "-X"
    COMMENT = "-#"


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Replace a file's text by what ``change`` makes of it; PostroadError when that is impossible.

    The new text is written beside the file, synced, and renamed over it; owner and mode stay.  Two
    editors take turns.
    """
    path = path.resolve()  # a link stays a link
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise PostroadError(f"open {path}: {error.strerror}") from error
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        old = path.read_bytes()
        new = change(old.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if new != old:
            _replace(path, new)
            os.fsync(directory)
    except OSError as error:
        raise PostroadError(f"open {error.filename or path}: {error.strerror}") from error
    finally:
        os.close(directory)


def _replace(path: Path, data: bytes) -> None:
    status = path.stat()
    new = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            with suppress(PermissionError):  # an editor who is not root keeps the file as his own
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _physical_lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [f"{line}\n" for line in lines]


def _is_content(line: str) -> bool:
    stripped = line.strip(BLANKS)
    return bool(stripped) and not stripped.startswith("#")


def edit_main(text: str, edit: Edit, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return main.cf with the settings of ``values`` changed, and the names it has more than once.

    REPLACE sets every place where a name stands, or adds it at the end; REMOVE and COMMENT look at
    the names only.
    """
    result: list[str] = []
    counts = dict.fromkeys(values, 0)
    chosen = False
    for line in _physical_lines(text):
        if not _is_content(line):
            result.append(line)
        elif line[0] in BLANKS:
            if not chosen:
                result.append(line)
            elif edit is Edit.COMMENT:
                result.append(f"#{line}")
        else:
            name = line.partition("=")[0].split(None, 1)[0] if line.partition("=")[0].strip() else ""
            chosen = name in counts
            if not chosen:
                result.append(line)
                continue
            counts[name] += 1
            if edit is Edit.REPLACE:
                result.append(f"{name} = {values[name]}\n")
            elif edit is Edit.COMMENT:
                result.append(f"#{line}")
    if edit is Edit.REPLACE:
        result += [f"{name} = {values[name]}\n" for name in sorted(counts) if not counts[name]]
    return "".join(result), [name for name, count in counts.items() if count > 1]


def edit_services(text: str, edit: Edit, requests: Mapping[str, str]) -> str:
    """Return master.cf with whole services changed; ``requests`` are by ``name/type``.

    REPLACE puts the line of the request for the first service that matches, or at the end.
    """
    new = {pattern: _entry(line) for pattern, line in requests.items()} if edit is Edit.REPLACE else {}
    waiting = dict(new)

    def change(service: Service, lines: list[str]) -> list[str]:
        hits = [
            pattern
            for pattern in requests
            if matches(pattern, service) or (pattern in new and new[pattern].key == service.key)
        ]
        if not hits:
            return lines
        if edit is Edit.COMMENT:
            return [f"#{line}" if _is_content(line) else line for line in lines]
        kept = [line for line in lines if not _is_content(line)]
        entries = [_written(waiting.pop(pattern)) for pattern in hits if pattern in waiting]
        return entries + kept

    text = _each_service(text, change)
    return text + "".join(_written(service) for service in waiting.values())


def edit_fields(text: str, requests: Mapping[tuple[str, str], str]) -> tuple[str, set[tuple[str, str]]]:
    """Return master.cf with fields changed, ``(name/type, field)`` to value, and what matched nothing."""
    unmatched = set(requests)

    def change(service: Service, lines: list[str]) -> list[str]:
        fields = list(service.fields)
        words = service.words
        hit = False
        for (pattern, field), value in requests.items():
            if not matches(pattern, service):
                continue
            hit = True
            unmatched.discard((pattern, field))
            if field == "command":
                entry = _entry(" ".join([*fields[:-1], value]))
                fields[-1], words = entry.fields[-1], entry.words
            else:
                fields[FIELDS.index(field)] = value
        return _replaced(lines, replace(service, fields=tuple(fields), words=words)) if hit else lines

    return _each_service(text, change), unmatched


def edit_overrides(text: str, edit: Edit, requests: Mapping[tuple[str, str], str]) -> tuple[str, set[tuple[str, str]]]:  # fmt: skip  # noqa: E501
    """Return master.cf with ``-o`` overrides changed, by ``(name/type, parameter)``, and the unmatched."""
    unmatched = set(requests)

    def change(service: Service, lines: list[str]) -> list[str]:
        words = list(service.words)
        hit = False
        for (pattern, name), value in requests.items():
            if not matches(pattern, service):
                continue
            hit = True
            unmatched.discard((pattern, name))
            words = _with_override(words, name, value if edit is Edit.REPLACE else None)
        return _replaced(lines, replace(service, words=tuple(words))) if hit else lines

    return _each_service(text, change), unmatched


def _with_override(words: Sequence[str], name: str, value: str | None) -> list[str]:
    """Return the arguments with ``-o name=value`` in place of the old one, or without it."""
    result: list[str] = []
    done = value is None
    options = True
    rest = iter(words)
    for word in rest:
        if options and word.startswith("-o"):
            text = word[2:] or next(rest, "")
            if text.partition("=")[0].strip() != name:
                result += ["-o", text]
            elif not done:
                result += ["-o", f"{name}={value}"]
                done = True
            continue
        if options and (not word.startswith("-") or word == "--"):
            options = False
            if not done:
                result += ["-o", f"{name}={value}"]
                done = True
        result.append(word)
    return result if done else [*result, "-o", f"{name}={value}"]


def _entry(line: str) -> Service:
    try:
        return service_of(Line(line.strip(BLANKS), ((0, 1),)))
    except ValueError as error:
        raise PostroadError(f'{error}: "{line}"') from error


def _written(service: Service) -> str:
    return service_line(service, folded=True) + "\n"


def _replaced(lines: list[str], service: Service) -> list[str]:
    """Return the lines of a service that was changed: comments between them first."""
    _entry(service_line(service))
    return [line for line in lines if not _is_content(line)] + [_written(service)]


def _each_service(text: str, change: Callable[[Service, list[str]], list[str]]) -> str:
    """Put every service's lines through ``change``; what stands behind a service is left alone."""
    result: list[str] = []
    lines = _physical_lines(text)
    at = 0
    while at < len(lines):
        if not _is_content(lines[at]) or lines[at][0] in BLANKS:
            result.append(lines[at])
            at += 1
            continue
        end = last = at + 1
        while end < len(lines) and (not _is_content(lines[end]) or lines[end][0] in BLANKS):
            end += 1
            if _is_content(lines[end - 1]):
                last = end
        content = "".join(line.rstrip("\r\n") for line in lines[at:last] if _is_content(line))
        result += change(_entry(content), lines[at:last])
        at = last
    return "".join(result)
