import pytest

from postroad.base.known import default_of
from postroad.base.params import Facts, settings_of
from postroad.model import params as p

#: What is ours, not Postfix's: which version, where things are, and aliases without NIS.
OTHERS = {"mail_version", "queue_directory", "data_directory", "alias_maps"}


def test_the_defaults_are_postfixs():
    for param in p.params.params:
        if isinstance(param.default, str) and not param.own and param.name not in OTHERS:
            assert param.default == (default_of(param.name) or ""), param.name


def test_the_queue_is_not_postfixs():
    for param in (p.QUEUE_DIRECTORY, p.DATA_DIRECTORY):
        assert default_of(param.name) == param.default.replace("postroad", "postfix")


@pytest.mark.parametrize(
    ("hostname", "main", "name", "domain"),
    [
        ("mx.example.test", {}, "mx.example.test", "example.test"),
        ("mx", {}, "mx.localdomain", "localdomain"),
        ("mx", {"myhostname": "a.b.test"}, "mx.localdomain", "b.test"),
        ("mx.example.test", {"myhostname": "mail.$mydomain"}, "mx.example.test", "example.test"),
    ],
)
def test_who_we_are_follows_from_the_machine_and_from_main_cf(hostname, main, name, domain):
    facts = Facts(hostname=hostname, main=main)
    assert p.MYHOSTNAME.default_text(facts) == name
    assert p.MYDOMAIN.default_text(facts) == domain


@pytest.mark.parametrize(
    ("level", "utf8", "dot", "relayed"), [("0", False, True, True), ("3.6", True, False, False)]
)
def test_old_defaults_are_those_of_the_level(level, utf8, dot, relayed):
    settings = settings_of([p.params], compatibility_level=level, mydestination="example.test")
    assert settings[p.SMTPUTF8_ENABLE] is utf8
    assert settings[p.APPEND_DOT_MYDOMAIN] is dot
    assert settings[p.RELAY_DOMAINS] == (("example.test",) if relayed else ())


@pytest.mark.parametrize(("instance", "name"), [("", "postfix"), ("postfix-out", "postfix-out")])
def test_an_instance_logs_under_its_name(instance, name):
    assert settings_of([p.params], multi_instance_name=instance)[p.SYSLOG_NAME] == name


def test_a_time_without_a_unit_is_in_that_of_its_parameter():
    texts = {"maximal_queue_lifetime": "1", "delay_warning_time": "1", "queue_run_delay": "1"}
    settings = settings_of([p.params], **texts)
    read = (p.MAXIMAL_QUEUE_LIFETIME, p.DELAY_WARNING_TIME, p.QUEUE_RUN_DELAY)
    assert [settings[each] for each in read] == [86400, 3600, 1]


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (p.MESSAGE_SIZE_LIMIT, "-1"),
        (p.HEADER_SIZE_LIMIT, "0"),
        (p.HOPCOUNT_LIMIT, "0"),
        (p.MINIMAL_BACKOFF_TIME, "0s"),
        (p.DEFAULT_PROCESS_LIMIT, "0"),
        (p.DELAY_LOGGING_RESOLUTION_LIMIT, "7"),
        (p.MYNETWORKS_STYLE, "world"),
    ],
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)
