import pytest

from postroad.cli.queue_tools import Ending, Tool, is_queue_id


def ended(capsys, act, *args):
    """Return the exit status, and what was printed for a person."""
    with pytest.raises(Ending) as ending:
        act(*args)
    return ending.value.status, capsys.readouterr()


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.delenv("MAIL_CONFIG", raising=False)
    return Tool("postcat", 69)


def test_options_are_those_of_getopt(tool):
    options, rest = tool.options(["-qv", "-c", "/etc/x", "-b", "one", "two"], "bc:qv", "usage", None)
    assert options == [("-q", ""), ("-b", "")]
    assert rest == ["one", "two"]
    assert tool.directory == "/etc/x"


@pytest.mark.parametrize(
    ("args", "given", "environment", "directory"),
    [
        ([], None, None, "/etc/postfix"),
        ([], None, "/etc/env", "/etc/env"),
        ([], "/etc/given", "/etc/env", "/etc/given"),
        (["-c", "/etc/option"], "/etc/given", "/etc/env", "/etc/option"),
    ],
)
def test_who_names_the_directory_last_has_it(tool, monkeypatch, args, given, environment, directory):
    if environment is not None:
        monkeypatch.setenv("MAIL_CONFIG", environment)
    tool.options(args, "c:", "usage", given)
    assert tool.directory == directory


@pytest.mark.parametrize(
    ("args", "complaint"), [(["-x"], "invalid option -- 'x'"), (["-c"], "option requires an argument -- 'c'")]
)
def test_a_wrong_option_ends_the_command_with_its_usage(tool, capsys, args, complaint):
    status, said = ended(capsys, tool.options, args, "c:", "usage: postcat", None)
    assert status == 69
    assert said.err == f"postcat: {complaint}\npostcat: fatal: usage: postcat\n"


def test_help_is_no_error(tool, capsys):
    status, said = ended(capsys, tool.options, ["--help"], "", "usage: postcat", None)
    assert (status, said.out, said.err) == (0, "usage: postcat\n", "")


def test_a_fatal_error_may_have_a_status_of_its_own(tool, capsys):
    status, said = ended(capsys, tool.fatal, "no", 75)
    assert (status, said.err) == (75, "postcat: fatal: no\n")


def test_settings_are_those_of_the_directory(tool, queue):
    tool.directory = str(queue.etc)
    queue.configure("mydomain = example.test\n")
    assert tool.settings().texts["mydomain"] == "example.test"


def test_a_directory_without_main_cf_is_named(tool, capsys, tmp_path):
    tool.directory = str(tmp_path)
    status, said = ended(capsys, tool.settings)
    assert status == 69
    assert said.err == f"postcat: fatal: open {tmp_path}/main.cf: No such file or directory\n"


@pytest.mark.parametrize(
    ("text", "yes"), [("197A6D9F3C2B340", True), ("a_1", True), ("", False), ("../x", False), ("é", False)]
)
def test_a_queue_id_is_made_of_letters_and_digits(text, yes):
    assert is_queue_id(text) is yes
