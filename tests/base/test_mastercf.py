import pytest

from postroad.base.errors import Severity
from postroad.base.mastercf import DEFAULT, entries, parse, words_of

LINE = "smtp inet n - n - - smtpd"


def one(text):
    services, problems = parse(text)
    assert problems == []
    (service,) = services
    return service


def test_the_fields_of_a_service():
    service = one("submission inet n - y 300? 20 smtpd -v")
    assert (service.name, service.type, service.command, service.key) == (
        "submission",
        "inet",
        "smtpd",
        "submission/inet",
    )
    assert (service.private, service.unprivileged, service.chroot) == (False, True, True)
    assert (service.wakeup, service.maxproc, service.args) == (300, 20, ("-v",))


def test_a_dash_is_postfixs_default():
    service = one("relay unix - - - - - smtp")
    assert (service.private, service.unprivileged, service.chroot) == (True, True, False)
    assert (service.wakeup, service.maxproc) == (0, None)


@pytest.mark.parametrize(
    ("args", "overrides"),
    [
        ("-o a=b", {"a": "b"}),
        ("-oa=b", {"a": "b"}),
        ("-o { a = b c }", {"a": "b c"}),
        ("-o {a=b c} -o d=", {"a": "b c", "d": ""}),
        ("-o a=b\n  -o a=c", {"a": "c"}),
        ("-v -o a=${b?{x y}}", {"a": "${b?{x y}}"}),
        ("-o a=b=c,d", {"a": "b=c,d"}),
    ],
)
def test_overrides_in_every_form(args, overrides):
    assert one(f"{LINE} {args}").overrides == overrides


def test_what_follows_the_first_plain_argument_belongs_to_the_command():
    service = one("x unix - n n - - pipe -o a=b flags=R argv=/bin/y -o ${recipient} { c d }")
    assert service.overrides == {"a": "b"}
    assert service.args == ("flags=R", "argv=/bin/y", "-o", "${recipient}", "c d")


def test_an_override_knows_the_line_it_stands_on():
    service = one(f"# x\n{LINE}\n  -o a=b\n# y\n\n  -o c=d -o\n  e=f\n")
    assert service.where == "master.cf:2"
    assert service.places == {"a": "master.cf:3", "c": "master.cf:6", "e": "master.cf:7"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("smtp inet n - n - -", 'missing "command" field'),
        ("smtp", 'missing "type" field'),
        ("smtp xinet n - n - - smtpd", 'field "type": bad value: "xinet"'),
        ("smtp inet x - n - - smtpd", 'field "private": bad value: "x"'),
        ("smtp inet n - n x - smtpd", 'field "wakeup": bad value: "x"'),
        ("smtp inet n - n - 1k smtpd", 'field "process_limit": bad value: "1k"'),
        (f"{LINE} -o", "-o without name=value"),
        (f"{LINE} -o foo", "missing '=' after attribute name: \"foo\""),
        (f"{LINE} -o {{ a = b", "missing '}' in \"{ a = b\""),
        (f"{LINE} -o {{a=b}}c", "syntax error after '}' in \"{a=b}c\""),
        (f"{LINE}\0", "null byte"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_the_others_are_read(line, says):
    services, problems = parse(f"{line}\nrelay unix - - n - - smtp")
    assert [service.name for service in services] == ["relay"]
    assert says in problems[0].message
    assert problems[0].where == "master.cf:1"


def test_of_two_entries_the_last_counts():
    services, problems = parse(f"{LINE}\nsmtp inet n - n - 3 smtpd")
    assert [service.maxproc for service in services] == [3]
    assert problems[0].severity is Severity.WARNING
    assert len(entries(f"{LINE}\n{LINE}")[0]) == 2


def test_a_first_line_that_begins_with_a_blank_is_a_warning():
    assert "must not start with whitespace" in parse(f"  {LINE}")[1][0].message


def test_the_default_services_are_sound():
    services, problems = parse(DEFAULT)
    assert problems == []
    assert {"smtp/inet", "smtp/unix", "relay/unix", "local/unix", "retry/unix"} <= {s.key for s in services}


def test_words_keep_what_braces_hold():
    assert [word for _, word in words_of(" a { b c } d{e f}g ")] == ["a", "{ b c }", "d{e f}g"]
