from pathlib import Path

from postroad.admin.manual import entry, family_entry, manual
from postroad.app.registry import registry
from postroad.base.kinds import INT, STRING
from postroad.base.params import Family, Param

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_is_what_the_declarations_say():
    assert REFERENCE.read_text("utf-8") == manual(registry()), "run: make reference"


def test_an_entry_has_default_meaning_and_bounds():
    param = Param("x_limit", INT, "20", "How many.", low=1, high=9, own=True, live=False)
    assert entry(param) == (
        "### x_limit\n\nDefault: `20`\n\nHow many.\n\n"
        "*Number; at least 1; at most 9; own; takes effect on restart*\n"
    )


def test_defaults_that_are_empty_or_found_out_are_said_so():
    assert "Default: (empty)" in entry(Param("x", STRING, "", "X."))
    assert "Default: (found out on the machine)" in entry(
        Param("x", STRING, lambda facts: facts.hostname, "X.")
    )


def test_a_family_is_named_for_its_transport():
    assert family_entry(Family("_limit", INT, "$default_limit", "X.")).startswith("### *transport*_limit\n")
