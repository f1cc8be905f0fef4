import subprocess
import sys
import time

import pytest

from postroad import __version__
from postroad.cli import main as cli
from postroad.cli.main import POSTFIX_NAMES, main


@pytest.fixture
def calls(monkeypatch):
    """Every command is a function that notes how it was called."""
    seen = []

    class Module:
        @staticmethod
        def run(directory, args):
            seen.append((directory, args))
            return 7

        run_newaliases = run

    monkeypatch.setattr(cli, "find_spec", lambda _name: True)
    monkeypatch.setattr(cli, "import_module", lambda name: seen.append(name) or Module)
    monkeypatch.setenv("MAIL_CONFIG", "/env")
    return seen


@pytest.mark.parametrize(
    ("argv", "call"),
    [
        (["postroad", "check"], ("/env", [])),
        (["postroad", "-c", "/a", "check", "--json"], ("/a", ["--json"])),
        (["postroad", "check", "--json", "-c", "/a"], ("/a", ["--json"])),
        (["postroad", "check", "-c/a"], ("/a", [])),
        (["postroad", "start", "--foreground", "-c", "/a"], ("/a", ["start", "--foreground"])),
        (["postroad", "-c", "/a", "check", "-c", "/b"], ("/b", [])),
        (["postroad", "postmap", "-c", "/a", "-q", "-c", "hash:x"], ("/a", ["-q", "-c", "hash:x"])),
        (["postroad", "mailq", "-c", "/a"], ("/a", ["-p"])),
        (["/usr/bin/mailq"], ("/env", ["-p"])),
        (["/x/postconf", "-n"], ("/env", ["-n"])),
        (["/x/sendmail", "-t", "-c"], ("/env", ["-t", "-c"])),
        (["/x/newaliases"], ("/env", [])),
        (["/x/__main__.py", "status"], ("/env", ["status"])),
    ],
)
def test_a_command_gets_its_directory_and_arguments(calls, argv, call):
    assert main(argv) == 7
    assert calls[1] == call


def test_the_directory_is_the_first_that_has_a_main_cf(monkeypatch, tmp_path):
    monkeypatch.delenv("MAIL_CONFIG", raising=False)
    second = tmp_path / "postfix"
    monkeypatch.setattr(cli, "_DIRECTORIES", (str(tmp_path / "postroad"), str(second)))
    assert cli.configuration_directory() == str(second)
    (tmp_path / "postroad").mkdir()
    (tmp_path / "postroad" / "main.cf").touch()
    assert cli.configuration_directory() == str(tmp_path / "postroad")


def test_help_names_every_command(capsys):
    assert main(["postroad", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


def test_no_command_is_a_wrong_call(capsys):
    assert main(["postroad"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert main(["postroad", "--version"]) == 0
    assert capsys.readouterr().out == f"postroad {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["postroad", "chek"], "did you mean check?"),
        (["postroad", "zzz"], "--help lists the commands"),
        (["postroad", "check", "-c"], "-c needs a directory"),
    ],
)
def test_a_wrong_call_says_so(argv, says, capsys):
    assert main(argv) == 2
    assert says in capsys.readouterr().err


def test_a_command_that_is_not_installed_is_not_available(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda _name: None)
    assert main(["postroad", "send"]) == 1
    assert capsys.readouterr().err == "postroad: send: not available\n"


def test_postfixs_names_are_those_of_its_commands():
    assert {"mailq", "sendmail", "newaliases", "postconf", "postqueue", "postsuper"} <= set(POSTFIX_NAMES)
    assert "check" not in POSTFIX_NAMES


def test_starting_loads_nothing_heavy():
    code = (
        "import sys; from postroad.cli.main import main; main(['postroad', '--version']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - begun < 30
    assert not {"asyncio", "click", "apsw", "dns", "pathlib"} & set(done.stderr.split())
