"""``postalias`` and ``newaliases``: ask an alias table, list it, or check its source."""

from __future__ import annotations

from postroad.cli import postmap


def run(directory: str | None, args: list[str]) -> int:
    """Run ``postalias`` with its arguments."""
    return postmap.run_as("postalias", directory, args, aliases=True)


def run_newaliases(directory: str | None, args: list[str]) -> int:
    """Run ``newaliases``: check every table of alias_database.  Options are sendmail's, and ignored."""
    if "--help" in args:
        print("usage: newaliases")
        return 0
    texts = postmap.parameters("newaliases", directory)
    if texts is None:
        return 1
    specs = texts.get("alias_database", "").replace(",", " ").split()
    return run(directory, specs) if specs else 0
