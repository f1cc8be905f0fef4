"""Loads what would be loaded only when it is first needed.

A worker becomes mail_owner before it serves, and that user may not be able to read the directory
that Python is installed in.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

#: Packages whose modules are loaded late: by name (codecs, record types), or inside functions.
_PACKAGES: Final = ("encodings", "dns.rdtypes", "dns.rdtypes.ANY", "dns.rdtypes.IN", "idna", "postroad")
_LEFT_OUT: Final = (
    "postroad.__main__",
    "postroad.cli",
    "postroad.app.worker",
    "encodings.mbcs",
    "encodings.oem",
)


def preload() -> None:
    """Import every module of these packages; one that this platform does not have is left out."""
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, name + "."):
            if not module.name.startswith(_LEFT_OUT):
                try:
                    importlib.import_module(module.name)
                except ImportError:
                    continue
