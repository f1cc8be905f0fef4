"""What every test stands on."""

from __future__ import annotations

import ast
import gc
import os
import sys

from hypothesis import HealthCheck, settings

_UMASK = 0o022

# On a slow machine an example may take long, and so may finding one: that is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_runtest_setup():
    """Servers that a test runs in this process set it, and programs of other users come after them."""
    os.umask(_UMASK)


if sys.version_info < (3, 11, 5):  # Debian 12 has 3.11.2
    # A collection in the middle of ast.parse may report what it found with a traceback, which parses too;
    # before gh-106905 the outer one then ended in a SystemError.  Hypothesis parses the source of its tests.
    _parse = ast.parse

    def _undisturbed(*args, **options):
        enabled = gc.isenabled()
        gc.disable()
        try:
            return _parse(*args, **options)
        finally:
            if enabled:
                gc.enable()

    ast.parse = _undisturbed
