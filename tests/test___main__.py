import subprocess
import sys


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "postroad", *words], capture_output=True, text=True, check=False
    )


def test_the_package_is_the_command():
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: postroad")


def test_what_the_command_says_is_its_exit_status():
    assert run("no-such-command").returncode == 2
