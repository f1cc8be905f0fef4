from postroad.admin.manual import manual
from postroad.app.registry import registry
from postroad.cli.manual import run


def test_without_a_name_it_is_the_whole_reference(capsys):
    assert run(None, []) == 0
    assert capsys.readouterr().out == manual(registry())


def test_a_name_is_explained_whoever_has_it(capsys):
    assert run(None, ["myhostname", "relay_destination_recipient_limit", "header_checks"]) == 0
    printed = capsys.readouterr().out
    assert "The internet hostname" in printed
    assert "*transport*_destination_recipient_limit" in printed
    assert "not supported" in printed


def test_an_unknown_name_finds_the_one_that_was_meant(capsys):
    assert run(None, ["myhostnam"]) == 1
    assert "did you mean myhostname?" in capsys.readouterr().err


def test_a_file_is_written_and_compared(tmp_path):
    path = tmp_path / "reference.md"
    assert run(None, ["--check", str(path)]) == 1
    assert run(None, ["--write", str(path)]) == 0
    assert run(None, ["--check", str(path)]) == 0
    path.write_text("x")
    assert run(None, ["--check", str(path)]) == 1


def test_an_unknown_option_is_a_wrong_call():
    assert run(None, ["--frob"]) == 2
