"""The PEM files that the settings name, by path.

Workers are not root and cannot read keys: the supervisor reads the files and gives their contents.
"""

from __future__ import annotations

from collections.abc import Mapping

from postroad.net.tls.errors import TlsError

Files = Mapping[str, bytes]


def content(files: Files, path: str) -> bytes:
    """Return a file's content; TlsError if it was not given."""
    try:
        return files[path]
    except KeyError:
        raise TlsError(f"{path}: not read") from None
