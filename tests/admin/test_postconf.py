import pytest

from postroad.admin.postconf import (
    UnknownNameError,
    View,
    expanded_words,
    fields_of,
    fold,
    matches,
    service_line,
)
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.mastercf import parse
from postroad.base.params import Facts

FACTS = Facts(hostname="host", interfaces=("127.0.0.1/8", "192.0.2.2/24"))
MASTER = "smtp inet n - n - - smtpd\nrelay unix - - n - - smtp -o syslog_name=postfix/$service_name\nmine unix - n n - - pipe argv=/x\n"


def view(main="", master=MASTER, **options):
    return View(load_texts(main, master, "/etc/x", registry(), FACTS), **options)


def service(line):
    return parse(line)[0][0]


def test_a_value_is_shown_as_it_is_written_and_expanded():
    shown = view("myhostname = mx.example\nsmtpd_banner = $myhostname ESMTP")
    assert shown.text("smtpd_banner") == "$myhostname ESMTP"
    assert shown.expanded("smtpd_banner") == "mx.example ESMTP"


def test_defaults_are_those_of_the_registry_and_of_postfix():
    shown = view("biff = no\nmessage_size_limit = 1")
    assert (shown.text("biff"), shown.text("message_size_limit")) == ("no", "1")
    defaults = view("biff = no\nmessage_size_limit = 1", defaults=True)
    assert (defaults.text("biff"), defaults.text("message_size_limit")) == ("yes", "10240000")


def test_defaults_that_are_found_out_are_shown_as_values():
    shown = view("mydomain = example.org")
    assert shown.text("myhostname") == "host.example.org"
    assert view("myhostname = a.b.c").text("mydomain") == "b.c"
    assert shown.text("mynetworks") == "127.0.0.0/8 192.0.2.0/24"
    assert view("compatibility_level = 3.6").text("mynetworks") == "127.0.0.1/32 192.0.2.2/32"
    assert shown.text("config_directory") == "/etc/x"


def test_names_come_in_three_classes():
    shown = view("used = 1\nunused = 2\nmyorigin = $used")
    assert shown.names(["user"]) == ["used"]
    assert "mine_time_limit" in shown.names(["service"])
    assert "relay_destination_recipient_limit" in shown.names(["service"])
    assert "relay_time_limit" not in shown.names()
    assert "myhostname" in shown.names(["builtin"])
    assert shown.text("mine_time_limit") == "$command_time_limit"
    with pytest.raises(UnknownNameError):
        shown.text("unused")


def test_a_raw_parameter_is_never_expanded():
    assert view("forward_path = $home/x").expanded("forward_path") == "$home/x"


def test_overrides_lie_over_main_cf():
    assert view("biff = no", overrides={"biff": "maybe"}).text("biff") == "maybe"


def test_an_undefined_name_is_found():
    assert view("myorigin = $nowhere\nmydestination = $myhostname").undefined() == [
        "/etc/x/main.cf: undefined parameter: nowhere"
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("smtp inet n - n - - smtpd", "smtp       inet  n       -       n       -       -       smtpd"),
        (
            "scalemail-backend unix - n n - 2 pipe flags=R",
            "scalemail-backend unix - n       n       -       2       pipe flags=R",
        ),
        (
            "x unix - - n - - smtp -o { a = b c } -oc=d -v",
            "x          unix  -       -       n       -       -       smtp -o {a=b c} -o c=d -v",
        ),
    ],
)
def test_a_service_stands_in_columns(line, shown):
    assert service_line(service(line)) == shown


def test_a_folded_service_has_a_line_for_each_override():
    line = service_line(service("x unix - - n - - pipe -o a=b flags=R argv=/x"), folded=True)
    assert line.split("\n")[1:] == ["    -o a=b", "    flags=R argv=/x"]


def test_folding_breaks_at_eighty_characters():
    text = fold("name = " + "word " * 40, folded=True)
    assert max(map(len, text.split("\n"))) <= 80
    assert text.replace("\n   ", "") == fold("name =  " + "word\t" * 40, folded=False)


def test_an_empty_value_leaves_no_blank_behind():
    assert fold("relayhost = ", folded=False) == "relayhost ="


@pytest.mark.parametrize(
    ("pattern", "hit"),
    [
        ("smtp", True),
        ("smtp/inet", True),
        ("smtp/unix", False),
        ("*/inet", True),
        ("*", True),
        ("smt", False),
    ],
)
def test_a_pattern_names_services(pattern, hit):
    assert matches(pattern, service("smtp inet n - n - - smtpd")) is hit


def test_overrides_expand_as_their_service_sees_them():
    shown = view()
    relay = shown.config.service("relay")
    assert expanded_words(relay, shown) == ["-o", "syslog_name=postfix/relay"]
    assert fields_of(relay, shown)["command"] == "smtp -o syslog_name=postfix/relay"
    assert fields_of(relay)["process_limit"] == "-"
