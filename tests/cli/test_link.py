import os
from pathlib import Path

import pytest

from postroad.cli import link
from postroad.cli.main import POSTFIX_NAMES

PROGRAM = Path("/opt/bin/postroad")


def test_every_name_is_linked_and_again_changes_nothing(tmp_path, capsys):
    assert link.make_links(tmp_path / "bin", PROGRAM) == 0
    assert sorted(os.listdir(tmp_path / "bin")) == sorted(POSTFIX_NAMES)
    assert (tmp_path / "bin" / "mailq").readlink() == PROGRAM
    capsys.readouterr()
    assert link.make_links(tmp_path / "bin", PROGRAM) == 0
    assert capsys.readouterr().out == ""


def test_what_is_there_stays_unless_forced(tmp_path, capsys):
    (tmp_path / "sendmail").write_text("real")
    assert link.make_links(tmp_path, PROGRAM) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "sendmail").read_text() == "real"
    assert (tmp_path / "mailq").is_symlink()
    assert link.make_links(tmp_path, PROGRAM, force=True) == 0
    assert (tmp_path / "sendmail").readlink() == PROGRAM


@pytest.mark.parametrize(
    ("args", "status"), [([], 2), (["a", "b"], 2), (["--frob", "a"], 2), (["--help"], 0)]
)
def test_wrong_calls(args, status, capsys):
    assert link.run(None, args) == status
    assert "usage" in "".join(capsys.readouterr())


def test_the_program_that_runs_is_linked(tmp_path, monkeypatch):
    program = tmp_path / "postroad"
    program.touch()
    monkeypatch.setattr("sys.argv", [str(program), "link"])
    assert link.run(None, [str(tmp_path / "bin")]) == 0
    assert (tmp_path / "bin" / "postconf").readlink() == program


def test_without_a_program_nothing_is_linked(tmp_path, monkeypatch):
    monkeypatch.setattr(link, "own_path", lambda: None)
    assert link.run(None, [str(tmp_path / "bin")]) == 1
    assert not (tmp_path / "bin").exists()
