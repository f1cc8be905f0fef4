import json

import pytest

from postroad.base.errors import Problem, Severity
from postroad.cli.check import printable, run, text_of


@pytest.fixture
def directory(tmp_path):
    def write(main, master="smtp inet n - n - - smtpd\n"):
        (tmp_path / "main.cf").write_bytes(main.encode("utf-8", "surrogateescape"))
        (tmp_path / "master.cf").write_text(master)
        return str(tmp_path)

    return write


def test_findings_are_printed_in_groups_and_the_status_is_that_of_the_worst(directory, capsys):
    where = directory("message_size_limit = x\nheader_checks = y\nbiff = no\nnonsense = 1\n")
    assert run(where, []) == 1
    printed = capsys.readouterr().out
    places = [
        printed.index(word)
        for word in (
            "Errors",
            "message_size_limit",
            "Not supported",
            "header_checks",
            "without meaning",
            "Warnings",
            "nonsense",
            "1 error",
        )
    ]
    assert places == sorted(places)
    assert "main.cf:1: bad numerical configuration: message_size_limit = x (expected a number)" in printed


def test_a_sound_configuration_is_0(directory, capsys):
    assert run(directory("myhostname = mx.example\n"), []) == 0
    assert capsys.readouterr().out.endswith(": no errors\n")


def test_quiet_is_silent_about_what_is_not_supported(directory, capsys):
    assert run(directory("header_checks = y\n"), ["--quiet"]) == 0
    assert "header" not in capsys.readouterr().out


def test_json_has_one_object_a_line(directory, capsys):
    run(directory("header_checks = y\nnonsense = 1\ncompatibility_level = 3.6\n"), ["--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["where"], line["severity"]) for line in lines] == [
        ("main.cf:1", "not supported"),
        ("main.cf:2", "warning"),
    ]


def test_a_missing_directory_is_an_error(tmp_path, capsys):
    assert run(str(tmp_path / "nosuch"), []) == 1
    assert "No such file or directory" in capsys.readouterr().out


def test_an_unknown_argument_is_a_wrong_call(capsys):
    assert run("/", ["--frob"]) == 2
    assert run("/", ["--help"]) == 0
    assert "usage" in capsys.readouterr().out


def test_what_no_terminal_can_show_is_replaced():
    problem = Problem("main.cf:1", "x = \x1b[2J\udcff")
    assert printable(problem) == "main.cf:1: x = ?[2J?"


def test_groups_are_counted():
    problems = [Problem("", "a"), Problem("", "b"), Problem("", "c", severity=Severity.WARNING)]
    text = text_of(problems, "/etc/x")
    assert "(2):" in text
    assert "(1):" in text
    assert text.endswith("/etc/x: 2 errors\n")
