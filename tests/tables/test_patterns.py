"""regexp: and pcre: tables; the answers are those that Postfix gave for the same files."""

import time

import pytest

from postroad.base.errors import TableUnavailable
from postroad.tables.contract import check_table
from postroad.tables.patterns import PCRE, REGEXP, Patterns

RULES = """
/^(.*)-outgoing@(.*)$/  550 Use $1@$2 instead
!/@example\\.(net|com)$/  REJECT only example here
if /^x/
/^xray@/   REJECT xray
if !/y/
/^x/       no y
endif
endif
/CASE@/i   cs
/Case@/    REJECT any case
/f(a)?(b)@/  <$1><$2>
|a/b@|     other delimiter
"""


def table(world, text=RULES, dialect=REGEXP):
    world.write("rules", text)
    return Patterns(f"{dialect.name}:rules", dialect, "rules", world.context)


@pytest.mark.parametrize("dialect", [REGEXP, PCRE])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("List-outgoing@example.net", "550 Use List@example.net instead"),
        ("a@example.org", "REJECT only example here"),
        ("xray@example.net", "REJECT xray"),
        ("xa@example.net", "no y"),
        ("xy@example.net", None),
        ("CASE@example.net", "cs"),
        ("case@example.net", "REJECT any case"),
        ("fb@example.com", "<><b>"),
        ("fab@example.com", "<a><b>"),
        ("a/b@example.com", "other delimiter"),
        ("other@example.com", None),
    ],
)
def test_the_first_rule_that_fits_answers(world, dialect, key, value):
    assert table(world, dialect=dialect).get(key) == value


@pytest.mark.parametrize("dialect", [REGEXP, PCRE])
async def test_it_keeps_the_contract_of_tables(world, dialect):
    await check_table(table(world, "/^known$/ x\n", dialect), "known", "x", "unknown")


@pytest.mark.parametrize(
    ("dialect", "rule", "key", "value"),
    [
        (REGEXP, "/a.b/ x", "a\nb", "x"),
        (REGEXP, "/^b/ x", "a\nb", None),
        (REGEXP, "/^b/m x", "a\nb", "x"),
        (REGEXP, "/a+b/x x", "a+b", "x"),
        (PCRE, "/a.b/ x", "a\nb", "x"),
        (PCRE, "/a.b/s x", "a\nb", None),
        (PCRE, "/^b$/m x", "a\nb", "x"),
        (PCRE, "/a b/x x", "ab", "x"),
        (PCRE, "/b/A x", "ab", None),
        (PCRE, "/a$/E x", "a\n", None),
        (PCRE, "/^(a+)/U $1", "aaa", "a"),
        (PCRE, "/^(?i:a)b/i x", "Ab", "x"),
        (PCRE, "/^[[:alpha:]]+$/ x", "Ab", "x"),
        (PCRE, "/^\\w$/ x", "ä", None),
    ],
)
def test_flags_toggle(world, dialect, rule, key, value):
    assert table(world, rule + "\n", dialect).get(key) == value


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("/a(/ x", "line 1: Unmatched ( or \\(: skipping this rule"),
        ("/a", 'line 1: no closing regexp delimiter "/": skipping this rule'),
        ("/b/z y", 'line 1: unknown regexp option "z": skipping this rule'),
        ("/b(.)/ $2", 'line 1: out of range replacement index "2": skipping this rule'),
        ("!/c/ $1", "line 1: $number found in negative match replacement text: skipping this rule"),
        ("foo x", "line 1: ignoring unrecognized request"),
        ("endif", "line 1: ignoring ENDIF without matching IF"),
        ("if /a/", "line 1: IF has no matching ENDIF"),
        ("/d/", "line 1: no replacement text: using empty string"),
    ],
)
def test_what_cannot_be_used_is_warned_of(world, rule, problem):
    made = table(world, rule + "\n")
    made.load()
    assert [text.removeprefix(f"regexp map {world.folder}/rules, ") for text in world.warnings] == [problem]


def test_a_bad_pcre_pattern_is_warned_of_and_the_others_work(world):
    made = table(world, "/a(/ x\n/b/ y\n", PCRE)
    assert made.get("b") == "y"
    assert "line 1: error in regex at offset" in world.warnings[0]


@pytest.mark.parametrize("dialect", [REGEXP, PCRE])
@pytest.mark.parametrize("key", ["a" * 60 + "!", "a" * 5000 + "!"])
def test_no_key_keeps_a_pattern_busy(world, dialect, key):
    made = table(world, "/^(a|a)+$/ x\n", dialect)
    began = time.thread_time()  # of this thread: what others do to the machine does not count
    with pytest.raises(TableUnavailable, match="a pattern takes more than"):
        made.get(key)
    assert time.thread_time() - began < 2


def test_rules_may_stand_in_the_name(world):
    argument = "{ {/^a/ x}, {!/b/ y} }"
    made = Patterns("regexp:" + argument, REGEXP, argument, world.context)
    assert (made.get("ab"), made.get("c"), made.get("b")) == ("x", "y", None)


def test_long_keys_get_the_same_answer_as_short_ones(world):
    made = table(world, "/^(x+)([[:digit:]])$/ $2\n")
    assert made.get("x7") == made.get("x" * 2000 + "7") == "7"
