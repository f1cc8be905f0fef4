import pytest

from postroad.cli import postfix


@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("start-fg", ("postroad.cli.server", ["start", "--foreground"])),
        ("status", ("postroad.cli.server", ["status"])),
        ("check", ("postroad.cli.check", ["--quiet"])),
        ("flush", ("postroad.cli.postqueue", ["-f"])),
        ("logrotate", ("postroad.cli.server", ["reload"])),
    ],
)
def test_each_verb_is_a_command_of_ours(monkeypatch, verb, call):
    seen = []

    class Module:
        @staticmethod
        def run(directory, args):
            seen.append((directory, args))
            return 3

    monkeypatch.setattr(postfix, "import_module", lambda name: seen.append(name) or Module)
    assert postfix.run("/x", ["-v", verb]) == 3
    assert seen == [call[0], ("/x", call[1])]


@pytest.mark.parametrize("args", [[], ["frob"], ["start", "stop"]])
def test_a_wrong_call_is_fatal(args, capsys):
    assert postfix.run("/x", args) == 1
    assert capsys.readouterr().err.startswith("postfix: fatal: usage")
