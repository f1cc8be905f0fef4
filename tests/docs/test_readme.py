"""The README's examples, run; and the Chinese one kept equal."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from postroad.admin.check import check
from postroad.app.checks import FURTHER
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.errors import Severity
from postroad.base.params import Facts
from postroad.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh.md").read_text("utf-8")
FACTS = Facts(hostname="mail.example.com", config_directory="/etc/postroad", interfaces=("127.0.0.1/8",))


def blocks(text, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def example():
    return next(block for block in blocks(ENGLISH, "") if "virtual_mailbox_domains" in block)


def test_the_smallest_configuration_has_no_errors():
    config = load_texts(example(), None, "/etc/postroad", registry(), FACTS)
    problems = check(config, FURTHER)
    assert [str(p) for p in problems if p.severity is Severity.ERROR] == []
    assert [str(p) for p in problems if p.severity is Severity.UNSUPPORTED and p.where] == []


def test_the_smallest_configuration_delivers_where_it_says(tmp_path):
    table = next(block for block in blocks(ENGLISH, "") if block.startswith("ann@"))
    (tmp_path / "mailboxes").write_text(table)
    text = example().replace("/etc/postroad", str(tmp_path))
    (tmp_path / "main.cf").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "postroad", "postmap", "-q", "ann@example.com", f"hash:{tmp_path}/mailboxes"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "example.com/ann/\n"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_command_that_is_named_exists(text):
    named = set(re.findall(r"postroad ([a-z]+)(?= |`|\n)", text)) - {"start"}
    assert named
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_link_leads_somewhere(text):
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_both_readmes_show_the_same_examples_and_sections():
    assert len(re.findall("^## ", ENGLISH, re.MULTILINE)) == len(re.findall("^## ", CHINESE, re.MULTILINE))

    def code(text):
        return [re.sub(r" *#.*", "", block) for kind in ("", "sh") for block in blocks(text, kind)]

    assert code(ENGLISH) == code(CHINESE)


def test_every_parameter_of_our_own_is_in_the_reference():
    reference = (ROOT / "docs/reference.md").read_text("utf-8")
    for param in registry():
        if param.own:
            assert param.name in reference


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in blocks(ENGLISH, "sh")[1]
    assert "make test" in (ROOT / ".ci/run").read_text()
