"""``postroad link DIR``: links named as Postfix's commands are."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from postroad.cli.main import POSTFIX_NAMES

_USAGE = f"""usage: postroad link [--force] DIR

Makes links to postroad in DIR, by whose names it behaves as that command:
  {" ".join(POSTFIX_NAMES)}
  --force  replace what is there, a real Postfix's commands included
"""


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; 1 when a link could not be made."""
    del directory
    if "--help" in args or "-h" in args:
        print(_USAGE, end="")
        return 0
    places = [word for word in args if not word.startswith("-")]
    unknown = [word for word in args if word.startswith("-") and word != "--force"]
    if unknown or len(places) != 1:
        print(_USAGE, end="", file=sys.stderr)
        return 2
    program = own_path()
    if program is None:
        print("postroad link: the postroad program is not to be found; call it by its path", file=sys.stderr)
        return 1
    return make_links(Path(places[0]), program, force="--force" in args)


def own_path() -> Path | None:
    """Return the path of the ``postroad`` program that is running, else of the one in $PATH."""
    called = Path(sys.argv[0])
    if called.name == "postroad" and called.is_file():
        return called.absolute()
    beside = Path(sys.executable).parent / "postroad"
    if beside.is_file():
        return beside
    found = shutil.which("postroad")
    return Path(found).absolute() if found else None


def make_links(place: Path, program: Path, *, force: bool = False) -> int:
    """Link every name in ``place`` to ``program``; what is there stays, unless ``force``."""
    status = 0
    place.mkdir(parents=True, exist_ok=True)
    for name in POSTFIX_NAMES:
        link = place / name
        if link.is_symlink() and link.readlink() == program:
            continue
        if os.path.lexists(link) and not force:
            print(f"postroad link: {link} is there already; --force replaces it", file=sys.stderr)
            status = 1
            continue
        new = place / f".{name}.new"
        try:
            new.unlink(missing_ok=True)
            new.symlink_to(program)
            new.replace(link)  # the name is never missing in between
        except OSError as error:
            print(f"postroad link: {link}: {error.strerror}", file=sys.stderr)
            return 1
        print(link)
    return status
