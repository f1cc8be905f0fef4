"""Directories below a base, reached step by step so that no link leads out of it."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

#: Enough to walk through a directory that one may search but not read.
_WALK: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_PATH: Final = 4096
_LONGEST_NAME: Final = 255


@lru_cache(1024)
def parts_of(path: bytes) -> tuple[bytes, ...]:
    """Return the names that a path below the base consists of.

    Slashes in front mean nothing, for the base stands before them.  ValueError for a path that
    could lead elsewhere (``..``), is empty, or that no file system takes.
    """
    if b"\0" in path:
        raise ValueError("the path has a NUL in it")
    if len(path) > _LONGEST_PATH:
        raise ValueError("the path is too long")
    parts = tuple(part for part in path.split(b"/") if part not in (b"", b"."))
    if not parts:
        raise ValueError("the path is empty")
    if b".." in parts:
        raise ValueError("the path has .. in it")
    if any(len(part) > _LONGEST_NAME for part in parts):
        raise ValueError("a name in the path is too long")
    return parts


def open_base(base: bytes) -> int:
    """Open the base directory, for walking only.  Links on the way to it are the operator's."""
    return os.open(base, _WALK & ~os.O_NOFOLLOW)


def open_below(base: bytes, parts: tuple[bytes, ...], *, create: bool) -> int:
    """Open a directory below the base, for walking; missing ones are made (0700) when asked to.

    A symbolic link on the way is an OSError (ENOTDIR), wherever it leads.
    """
    fd = open_base(base)
    try:
        for part in parts:
            step = _step(fd, part, create=create)
            os.close(fd)
            fd = step
    except BaseException:
        os.close(fd)
        raise
    return fd


def _step(fd: int, name: bytes, *, create: bool) -> int:
    try:
        return os.open(name, _WALK, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
    make(fd, name)
    return os.open(name, _WALK, dir_fd=fd)


def make(fd: int, name: bytes | str) -> None:
    """Make a directory (0700) durably; one that is there already is fine."""
    try:
        os.mkdir(name, 0o700, dir_fd=fd)
    except FileExistsError:
        return
    sync(fd)


def open_subfolder(fd: int, name: str) -> int:
    """Open a directory for reading and syncing."""
    return os.open(name, _READ, dir_fd=fd)


def sync(fd: int) -> None:
    """Sync the entries of a directory, even of one opened for walking only."""
    try:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    except PermissionError:
        return  # one may search it but not read it: nothing of ours was made in it
    try:
        os.fsync(readable)
    finally:
        os.close(readable)
