"""Finds the functions of ``check_python module:function``.

A module is looked for in the configuration directory (``module.py``, or a package), then on Python's own
path, and never in the directory that a command happens to be started in.  One of the configuration
directory is loaded under a name of its own, so that it takes no library's place; it is loaded again
when its files have changed, else it keeps its state over a reload.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

_Stamp = tuple[tuple[str, int, int], ...]
_loaded: dict[str, tuple[_Stamp, ModuleType]] = {}
_numbers = count(1)


class _Loader(SourceFileLoader):
    """Leaves no compiled files in the configuration directory."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def find_hook(text: str, directory: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names.

    ``directory`` is the configuration directory, "" for none.  ValueError with the reason when it
    cannot be had.
    """
    module_name, colon, name = text.partition(":")
    parts = [*module_name.split("."), *name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise ValueError(f"{text}: expected module:function")
    try:
        found: Any = _module(module_name, directory)
    except BaseException as error:  # whatever a module of the operator's raises
        raise ValueError(f"{text}: cannot import {module_name}: {reason(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{text}: module {module_name} has no {name}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"{text}: {name} is no function")  # noqa: TRY004 - of the configuration
    function: Callable[..., Any] = found
    return function


def reason(error: BaseException) -> str:
    """Return an exception on one line, with the place in the module where it came from."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    here = os.path.dirname(__file__)  # noqa: PTH120 - text
    for frame in reversed(frames):
        if not frame.filename.startswith((here, "<frozen")):
            return f"{text} ({frame.filename} line {frame.lineno})"
    return text


def _module(name: str, directory: str) -> ModuleType:
    top = name.partition(".")[0]
    spec = PathFinder.find_spec(top, [directory]) if directory else None
    if spec is not None and spec.origin:
        return _own(spec, name)
    spec = PathFinder.find_spec(top, _paths())
    if spec is None and top not in sys.builtin_module_names:
        raise ModuleNotFoundError(
            f"no module {top} in {directory or 'the configuration directory'} or on sys.path"
        )
    return importlib.import_module(name)


def _paths() -> list[str]:
    """Return Python's path without the directory that the program was started in."""
    path = sys.path if sys.flags.safe_path else sys.path[1:]
    return [each for each in path if each and os.path.realpath(each) != os.getcwd()]  # noqa: PTH109


def _own(spec: ModuleSpec, name: str) -> ModuleType:
    """Load a module of the configuration directory, unless it is loaded and has not changed."""
    origin = str(spec.origin)
    package = bool(spec.submodule_search_locations)
    stamp = _stamp(Path(origin), package=package)
    known = _loaded.get(origin)
    if known is not None and known[0] == stamp:
        module = known[1]
    else:
        module = _load(origin, spec.name, package=package)
        _loaded[origin] = (stamp, module)
    rest = name.partition(".")[2]
    return importlib.import_module(f"{module.__name__}.{rest}") if rest else module


def _load(origin: str, name: str, *, package: bool) -> ModuleType:
    private = f"postroad_hook_{next(_numbers)}_{name}"
    places = [os.path.dirname(origin)] if package else None  # noqa: PTH120
    spec = importlib.util.spec_from_file_location(
        private, origin, loader=_Loader(private, origin), submodule_search_locations=places
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[private] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[private]
        raise
    return module


def _stamp(origin: Path, *, package: bool) -> _Stamp:
    files = sorted(origin.parent.rglob("*.py")) if package else [origin]
    states = [(str(file), file.stat()) for file in files]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
