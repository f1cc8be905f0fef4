import pytest

from postroad.base.evaluate import Evaluator
from postroad.base.kinds import BOOL, INT, LIST, RAW, STRING, TIME
from postroad.base.maincf import Setting, parse
from postroad.base.params import Facts, Group, Registry


def registry():
    group = Group("room")
    group.declare("myhostname", STRING, lambda facts: f"{facts.hostname}.localdomain", "")
    group.declare("mydomain", STRING, lambda _facts: "localdomain", "")
    group.declare("limit", INT, "20", "", low=1, high=100)
    group.declare("double", INT, "$limit", "")
    group.declare("flag", BOOL, "no", "")
    group.declare("wait", TIME, "${stress?{10}:{300}}s", "")
    group.declare("words", LIST, "$myhostname, localhost.$mydomain", "")
    group.declare("template", RAW, "$home/x", "")
    group.declare("default_limit", INT, "7", "")
    group.declare_family("_limit", INT, "$default_limit", "", low=1)
    return Registry([group])


REGISTRY = registry()


def evaluate(text, transports=("relay",), **facts):
    main, problems = parse(text)
    assert not problems
    return Evaluator(
        REGISTRY, Facts(hostname="host", **facts), main, transports, {"html_directory": "/html"}.get
    )


def value(evaluator, name, settings=None):
    return (settings or evaluator.settings)[REGISTRY[name]]


def test_defaults_are_expanded_and_typed():
    found = evaluate("")
    assert (value(found, "double"), value(found, "wait"), value(found, "flag")) == (20, 300, False)
    assert value(found, "words") == ("host.localdomain", "localhost.localdomain")


def test_a_raw_parameter_is_not_expanded():
    assert value(evaluate("home = /root"), "template") == "$home/x"


@pytest.mark.parametrize(
    ("text", "hostname", "domain"),
    [
        ("", "host.localdomain", "localdomain"),
        ("mydomain = a.example", "host.a.example", "a.example"),
        ("myhostname = mx.b.example", "mx.b.example", "b.example"),
        ("myhostname = mx", "mx", "localdomain"),
        ("myhostname = mx.b.example\nmydomain = example", "mx.b.example", "example"),
        ("myhostname = mx.$mydomain\nmydomain = c.example", "mx.c.example", "c.example"),
    ],
)
def test_host_and_domain_follow_each_other(text, hostname, domain):
    found = evaluate(text)
    assert (value(found, "myhostname"), value(found, "mydomain")) == (hostname, domain)


def test_user_defined_names_and_parameters_of_postfix_are_usable():
    found = evaluate("mine = 3${n}\nn = 0\nlimit = $mine\nwords = $html_directory")
    assert value(found, "limit") == 30
    assert value(found, "words") == ("/html",)
    assert found.settings.texts["mine"] == "30"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("limit = many", "main.cf:1: bad numerical configuration: limit = many (expected a number)"),
        ("flag = maybe", "main.cf:1: bad boolean configuration: flag = maybe (expected yes or no)"),
        (
            "wait = 5x",
            "main.cf:1: bad time configuration: wait = 5x (expected a time such as 90s, 5m, 1h or 5d)",
        ),
        ("limit = 0", "main.cf:1: invalid limit parameter value 0 < 1 (less than the minimum 1)"),
        ("limit = 101", "main.cf:1: invalid limit parameter value 101 > 100 (more than the maximum 100)"),
        ("words = { a", "main.cf:1: bad value: words = { a (a { that is not closed)"),
        ("myhostname =", "main.cf:1: bad string length 0 < 1: myhostname = (it may not be empty)"),
        ("limit = ${", 'main.cf:1: truncated macro reference: "${"'),
        ("x = 1\nlimit = $limit", "main.cf:2: unreasonable macro call nesting: $limit -> $limit"),
        ("relay_limit = 0", "main.cf:1: invalid relay_limit parameter value 0 < 1 (less than the minimum 1)"),
    ],
)
def test_a_bad_value_is_reported_once_in_postfixs_words(text, says):
    assert [str(problem) for problem in evaluate(text).problems] == [says]


def test_every_bad_value_is_reported_and_the_defaults_stand_in():
    found = evaluate("limit = x\nflag = y\nwait = 7")
    assert {problem.where for problem in found.problems} == {"main.cf:1", "main.cf:2"}
    assert (value(found, "limit"), value(found, "flag"), value(found, "wait")) == (20, False, 7)


def test_a_user_defined_name_that_nobody_uses_may_be_malformed():
    found = evaluate("mine = ${")
    assert found.problems == []
    assert found.settings.texts["mine"] == "${"


def test_an_override_changes_its_service_and_what_depends_on_it():
    found = evaluate("limit = 30")
    overrides = {"limit": Setting("40", "master.cf:2"), "mine": Setting("x", "master.cf:2")}
    settings = found.override(overrides, {"service_name": "a", "process_name": "smtpd"})
    assert (value(found, "limit", settings), value(found, "double", settings)) == (40, 40)
    assert (value(found, "limit"), value(found, "double")) == (30, 30)
    assert settings.texts["mine"] == "x"
    assert "mine" not in found.settings.texts


def test_an_overridden_hostname_brings_its_domain():
    settings = evaluate("").override({"myhostname": Setting("a.b.c", "")}, {})
    assert settings.texts["mydomain"] == "b.c"


def test_a_bad_override_is_reported_where_it_stands():
    found = evaluate("")
    found.override({"limit": Setting("x", "master.cf:7")}, {})
    assert found.problems[0].where == "master.cf:7"


def test_without_overrides_the_settings_are_shared_unless_a_value_names_the_service():
    names = {"service_name": "a", "process_name": "smtpd"}
    plain = evaluate("")
    assert plain.override({}, names) is plain.settings
    naming = evaluate("words = $service_name/$process_name")
    assert naming.override({}, names).texts["words"] == "a/smtpd"
    assert naming.settings.texts["words"] == "/"


def test_a_transports_own_parameter_is_checked_and_read():
    found = evaluate("relay_limit = 3\nother_limit = x")
    (family,) = REGISTRY.families
    assert found.settings.transport(family, "relay") == 3
    assert found.settings.transport(family, "smtp") == 7
    assert found.problems == []  # "other" is no service: the name is unused, not wrong


def test_mynetworks_default_is_made_of_the_interfaces():
    found = evaluate("mynetworks_style = subnet\nwords = $mynetworks_default", interfaces=("192.0.2.2/24",))
    assert value(found, "words") == ("192.0.2.0/24",)
