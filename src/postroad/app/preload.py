"""Loads what libraries would load only when it is first needed.

A worker becomes mail_owner before it serves, and that user may not be able to read the directory
that Python is installed in.
"""

from __future__ import annotations

import codecs
import importlib
import pkgutil


def preload() -> None:
    """Import the modules that dnspython, the codecs and asyncio import late."""
    for name in ("encodings.idna", "encodings.punycode", "stringprep", "idna", "idna.uts46data", "dns.rdtypes.ANY", "dns.rdtypes.IN"):  # fmt: skip  # noqa: E501
        package = importlib.import_module(name)
        if name.startswith("dns."):
            for module in pkgutil.iter_modules(package.__path__, name + "."):
                importlib.import_module(module.name)
    # Encoding a short text takes a way around the codec's module, and does not load it.
    for codec in ("ascii", "latin-1", "utf-8", "idna", "punycode", "unicode_escape", "utf-16", "cp1252"):
        codecs.lookup(codec)
