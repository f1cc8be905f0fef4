"""OAuth access tokens in the place of a password: written there, or in a file that somebody renews."""

from __future__ import annotations

import os
import re

from postroad.base.errors import TableUnavailable

#: Bytes of a file; tokens have a few hundred to some thousand.
LIMIT = 16384
#: RFC 6750 2.1 (b64token), and what else is printable: servers make what they like, but no blanks.
_TOKEN = re.compile(r"[!-~]+")

_INLINE, _FILE = "{OAUTH}", "{OAUTHFILE}"
_Stamp = tuple[int, int, int]


class Tokens:
    """Reads passwords that are tokens; files are read again when they change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Stamp, str]] = {}

    def read(self, password: str) -> str | None:
        """Return the token that a password ``{OAUTH}token`` or ``{OAUTHFILE}/path`` stands for.

        None for any other password.  TableUnavailable for a token that cannot be had; its text names
        the file and never what is in it.
        """
        if password.startswith(_FILE):
            return self._from_file(password[len(_FILE) :].strip())
        if password.startswith(_INLINE):
            return _checked(password[len(_INLINE) :], "the password table")
        return None

    def _from_file(self, path: str) -> str:
        if not path.startswith("/"):
            raise TableUnavailable(f"{path or _FILE}: the path of a token must begin with /")
        try:
            status = os.stat(path)  # noqa: PTH116 - once for each login
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._known.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            # Not to wait for a writer, should it be a pipe.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                content = os.read(descriptor, LIMIT + 1)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise TableUnavailable(f"open {path}: {getattr(error, 'strerror', None) or error}") from None
        if len(content) > LIMIT:
            raise TableUnavailable(f"{path}: too long for a token")
        token = _checked(content.decode("ascii", "replace").strip(), path)
        if len(self._known) >= 1000:
            self._known.clear()
        self._known[path] = stamp, token
        return token


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise TableUnavailable(f"{where}: not a token")
    return token
