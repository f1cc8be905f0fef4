import pytest

from postroad.admin.check import check
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.errors import Problem, Severity
from postroad.base.params import Facts

SERVICES = "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup -o header_checks=pcre:/x\n"


def findings(main="", master=SERVICES, further=()):
    return check(load_texts(main, master, "/etc/x", registry(), Facts(hostname="mx.example")), further)


def of(severity, problems):
    return [str(problem) for problem in problems if problem.severity is severity]


def test_a_configuration_without_a_fault_has_no_findings():
    assert findings("myhostname = mx.example") == []


def test_what_postfix_obeys_and_we_do_not_is_named_with_what_happens_instead():
    (problem,) = findings("header_checks = regexp:/etc/checks")
    assert (problem.where, problem.severity) == ("main.cf:1", Severity.UNSUPPORTED)
    assert problem.message.startswith("header_checks: headers and bodies are not looked at")


def test_overrides_are_checked_the_same_way():
    (problem,) = findings(master="smtp inet n - n - - smtpd\n  -o header_checks=regexp:/etc/checks")
    assert (problem.where, problem.severity) == ("master.cf:2", Severity.UNSUPPORTED)
    assert (
        findings(master="smtp inet n - n - - smtpd\n -o message_size_limit=x")[0].severity is Severity.ERROR
    )


def test_a_setting_that_turns_off_what_is_not_there_is_no_finding():
    assert findings("header_checks =\nenable_threaded_bounces = no") == []


def test_what_has_no_meaning_here_says_why():
    (problem,) = findings("setgid_group = postdrop")
    assert problem.severity is Severity.MEANINGLESS
    assert "set-gid" in problem.message


def test_the_groups_come_in_order():
    problems = findings("nonsense = 1\nbiff = no\nbiff = yes\nheader_checks = x\nmessage_size_limit = x")
    order = [problem.severity for problem in problems]
    assert order == [
        Severity.ERROR,
        Severity.UNSUPPORTED,
        Severity.MEANINGLESS,
        Severity.WARNING,
        Severity.WARNING,
    ]


@pytest.mark.parametrize(
    ("line", "severity", "says"),
    [
        ("x unix - n n - - pipe argv=/bin/x", Severity.UNSUPPORTED, "stays in the queue"),
        ("smtp unix n - n - 1 postscreen", Severity.UNSUPPORTED, "not opened"),
        ("x unix - n n - - spawn argv=/bin/x", Severity.UNSUPPORTED, "not started"),
        ("x unix - n n - - /usr/lib/mine", Severity.UNSUPPORTED, "no such program"),
        ("x unix - n n - - smtpd", Severity.UNSUPPORTED, "not opened"),
        ("smtpd pass - - n - - smtpd", Severity.MEANINGLESS, "no postscreen does"),
    ],
)
def test_services_that_do_not_run_are_named(line, severity, says):
    (problem,) = findings(master=line)
    assert (problem.where, problem.severity) == ("master.cf:1", severity)
    assert says in problem.message


@pytest.mark.parametrize(
    "command", ["qmgr", "tlsmgr", "trivial-rewrite", "anvil", "scache", "local", "error"]
)
def test_services_that_run_or_are_inside_are_no_findings(command):
    assert findings(master=f"x unix - - n - - {command}") == []


def test_postscreen_and_the_service_that_it_hands_clients_to_run():
    lines = "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\n"
    assert findings(master=lines + "tlsproxy unix - - n - 0 tlsproxy\n") == []


def test_further_checks_are_asked_and_nothing_is_said_twice():
    problem = Problem("main.cf:9", "a table is missing")
    assert findings(further=[lambda config: [problem], lambda config: [problem]]) == [problem]


MISSION = """\
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
relay_domains = example.com
relay_recipient_maps = hash:/etc/postfix/relay_recipients
message_size_limit = 10240000
mailbox_size_limit = 51200000
maximal_queue_lifetime = 5d
minimal_backoff_time = 1000s
maximal_backoff_time = 4000s
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_client_restrictions = permit_mynetworks, reject_unknown_client
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
default_process_limit = 100
smtp_connection_cache_time_limit = 2s
"""


def test_a_usual_configuration_has_no_error_and_no_warning():
    problems = findings(MISSION)
    assert of(Severity.ERROR, problems) == []
    assert of(Severity.WARNING, problems) == []
