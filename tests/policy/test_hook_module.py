"""Where the functions of check_python are found, and what is said when they are not."""

from __future__ import annotations

import os
import sys

import pytest

from postroad.policy.hook_module import find_hook, reason


@pytest.fixture
def write(tmp_path):
    def make(name: str, text: str) -> str:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return str(tmp_path)

    return make


def test_a_function_of_the_configuration_directory(write):
    directory = write("mine.py", "def f(facts):\n    return 'OK'\nclass C:\n    def g(self): pass\n")
    assert find_hook("mine:f", directory)(None) == "OK"
    assert find_hook("mine:C.g", directory).__name__ == "g"
    assert "mine" not in sys.modules
    assert os.listdir(directory) == ["mine.py"]


def test_a_package_with_parts(write):
    write("rules/__init__.py", "")
    write("rules/helper.py", "ANSWER = 'HOLD'\n")
    directory = write("rules/main.py", "from . import helper\ndef f(facts):\n    return helper.ANSWER\n")
    directory = os.path.dirname(directory) if directory.endswith("rules") else directory
    assert find_hook("rules.main:f", directory)(None) == "HOLD"


def test_it_takes_no_library_s_place(write):
    import json

    directory = write("json.py", "def f(facts):\n    return 'mine'\n")
    assert find_hook("json:f", directory)(None) == "mine"
    assert sys.modules["json"] is json


def test_a_module_keeps_its_state_until_its_file_changes(write):
    directory = write("state.py", "def f(facts, seen=[]):\n    seen.append(1)\n    return len(seen)\n")
    find_hook("state:f", directory)(None)
    assert find_hook("state:f", directory)(None) == 2
    write("state.py", "def f(facts):\n    return 'changed'\n")
    assert find_hook("state:f", directory)(None) == "changed"


def test_a_module_of_python_s_path(tmp_path, monkeypatch):
    (tmp_path / "installed_hook.py").write_text("def f(facts): return 'OK'\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path, str(tmp_path)])
    assert find_hook("installed_hook:f", "")(None) == "OK"
    assert find_hook("os.path:join", "")("a", "b") == "a/b"


def test_never_from_where_the_command_was_started(tmp_path, monkeypatch):
    (tmp_path / "here_hook.py").write_text("def f(facts): return 'OK'\n")
    monkeypatch.chdir(tmp_path)
    for path in ([str(tmp_path), *sys.path], [*sys.path, ""], [*sys.path, str(tmp_path)]):
        monkeypatch.setattr(sys, "path", path)
        with pytest.raises(
            ValueError, match="no module here_hook in the configuration directory or on sys.path"
        ):
            find_hook("here_hook:f", "")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mine", "expected module:function"),
        ("mine:", "expected module:function"),
        (":f", "expected module:function"),
        ("../mine:f", "expected module:function"),
        ("mine:f()", "expected module:function"),
        ("none:f", "cannot import none: ModuleNotFoundError: no module none"),
        ("mine:none", "module mine has no none"),
        ("mine:NUMBER", "NUMBER is no function"),
        ("bad:f", r"cannot import bad: SyntaxError: .*"),
        ("raises:f", r"cannot import raises: KeyError: 'x' \(.*raises.py line 2\)"),
        ("ends:f", r"cannot import ends: SystemExit: 3"),
        ("needs:f", "cannot import needs: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ],
)
def test_the_reason_why_it_cannot_be_had(write, name, why):
    write("mine.py", "NUMBER = 1\n")
    write("bad.py", "def f(:\n")
    write("raises.py", "\n{}['x']\n")
    write("ends.py", "import sys\nsys.exit(3)\n")
    directory = write("needs.py", "import nowhere_to_be_found\n")
    with pytest.raises(ValueError, match=why):
        find_hook(name, directory)


def test_a_module_that_failed_is_tried_again(write):
    directory = write("later.py", "1/0\n")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        find_hook("later:f", directory)
    write("later.py", "def f(facts): return 'OK'\n")
    assert find_hook("later:f", directory)(None) == "OK"


def test_a_reason_is_one_line():
    assert reason(RuntimeError("two\nlines")) == "RuntimeError: two lines"
