import pytest

from postroad.cli import postalias


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "aliases").write_text('Root: a, b\n"john smith": x\n')
    (tmp_path / "main.cf").write_text(f"alias_database = hash:{tmp_path}/aliases\n")
    return tmp_path


def call(capfd, function, conf, *args):
    status = function(str(conf), [str(arg) for arg in args])
    out, err = capfd.readouterr()
    return status, out, err


def test_an_alias_is_found_by_its_name(conf, capfd):
    assert call(capfd, postalias.run, conf, "-q", "root", conf / "aliases") == (0, "a, b\n", "")
    assert call(capfd, postalias.run, conf, "-q", "nobody", conf / "aliases") == (1, "", "")


def test_a_list_has_colons(conf, capfd):
    assert call(capfd, postalias.run, conf, "-s", conf / "aliases")[1] == "root:\ta, b\njohn smith:\tx\n"


def test_bad_lines_are_warned_of(conf, capfd):
    (conf / "bad").write_text("nothing\n")
    status, _, err = call(capfd, postalias.run, conf, conf / "bad")
    assert (status, err) == (0, f"postalias: warning: {conf}/bad, line 1: need name:value pair\n")


def test_newaliases_checks_the_alias_database_and_says_nothing(conf, capfd):
    assert call(capfd, postalias.run_newaliases, conf) == (0, "", "")
    (conf / "aliases").unlink()
    status, _, err = call(capfd, postalias.run_newaliases, conf)
    assert status == 1
    assert err == f"postalias: fatal: open {conf}/aliases: No such file or directory\n"


def test_newaliases_without_a_database_has_nothing_to_do(conf, capfd):
    (conf / "main.cf").write_text("alias_database =\n")
    assert call(capfd, postalias.run_newaliases, conf) == (0, "", "")


def test_newaliases_needs_a_configuration(conf, capfd):
    (conf / "main.cf").unlink()
    assert call(capfd, postalias.run_newaliases, conf)[0] == 1
