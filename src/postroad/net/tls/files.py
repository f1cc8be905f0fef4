"""The PEM files that the settings name, by path.

Workers are not root and cannot read keys: the supervisor reads the files and gives their contents.
"""

from __future__ import annotations

from collections.abc import Mapping

from postroad.base.params import Settings
from postroad.model.params import DATA_DIRECTORY
from postroad.net.tls.chains import Named
from postroad.net.tls.errors import NotGiven

Files = Mapping[str, bytes]


def named(files: Files, path: str) -> Named:
    """Return a file's path and content; NotGiven if it could not be read."""
    try:
        return path, files[path]
    except KeyError:
        raise NotGiven(f"{path}: cannot be read") from None


def self_signed_path(settings: Settings) -> str:
    """Return where the certificate is that the server makes itself, for services that name none."""
    return f"{settings[DATA_DIRECTORY]}/tls/self-signed.pem"
