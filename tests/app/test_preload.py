"""A worker that gave up its rights may not be able to read Python's files any more."""

import subprocess
import sys

CODE = """
import sys
from postroad.app.preload import preload
preload()
before = set(sys.modules)
import postroad.delivery.smtp.agent, encodings.punycode, dns.rdtypes.IN.AAAA, idna.core, postroad.tables.cidr
"x".encode("idna"); "x".encode("utf-16"); print(sorted(set(sys.modules) - before))
print(any(name.startswith("postroad.cli.") for name in sys.modules), "postroad.app.worker" in sys.modules)
"""


def test_what_is_loaded_late_is_there_and_the_commands_are_not():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "False False"]
    assert done.stderr == ""
