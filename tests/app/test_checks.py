"""What the rooms find wrong: each finding has its place, a severity and a way out."""

import pytest

from app.texts import config_of
from postroad.app.checks import FURTHER
from postroad.base.errors import Severity


def findings(main="", master="", directory="/nowhere", severity=None):
    config = config_of(main, master, directory=directory)
    found = [problem for check in FURTHER for problem in check(config)]
    return [each for each in found if severity is None or each.severity is severity]


def test_a_good_configuration_has_no_errors():
    assert findings(severity=Severity.ERROR) == []


@pytest.mark.parametrize(
    ("main", "where", "words"),
    [
        ("smtpd_client_restrictions = check_client_access nosuch:/x\n", "main.cf:9", "unsupported"),
        ("default_destination_concurrency_positive_feedback = 2\n", "main.cf:9", "bad feedback"),
        ("smtp_destination_concurrency_negative_feedback = 1/x\n", "main.cf:9", "bad feedback"),
        ("transport_maps = nosuchtype:/x\n", "main.cf:9", "nosuchtype"),
        ("smtpd_dns_reply_filter = nope:x\n", "main.cf:9", "unsupported dictionary type: nope"),
    ],
)
def test_what_cannot_work_is_an_error_at_its_line(main, where, words):
    [problem] = findings(main, severity=Severity.ERROR)
    assert problem.where == where
    assert words in problem.message


def test_a_restriction_of_one_service_is_found_at_its_line_of_master_cf():
    master = "2526 inet n - n - - smtpd -o smtpd_client_restrictions=nonsense\n"
    [problem] = findings("", master, severity=Severity.WARNING)
    assert problem.where == "master.cf:4"
    assert "nonsense" in problem.message


def test_a_table_whose_file_is_missing_is_a_warning(tmp_path):
    [problem] = findings(f"transport_maps = texthash:{tmp_path}/none\n", severity=Severity.WARNING)
    assert problem.where == "main.cf:9"
    assert "451" in problem.hint


def test_a_table_that_can_be_read_is_no_finding(tmp_path):
    (tmp_path / "transport").write_text("example.com smtp:[127.0.0.1]\n")
    assert findings(f"transport_maps = texthash:{tmp_path}/transport\n") == []


def test_users_of_this_system_are_said_to_wait():
    master = "local unix - n n - - local\n"
    [problem] = findings("mydestination = example.test\n", master, severity=Severity.UNSUPPORTED)
    assert "mydestination" in problem.message
    assert findings("", master, severity=Severity.UNSUPPORTED) == []


def test_a_host_of_inet_interfaces_that_does_not_exist_is_named():
    found = findings("inet_interfaces = no.such.host.invalid\n", severity=Severity.ERROR)
    assert any(problem.where == "main.cf:9" for problem in found)


def test_what_is_wrong_with_logins_is_found_at_the_services_line():
    master = "submission inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes\n"
    master += "2526 inet n - n - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=nosuch\n"
    found = findings("", master)
    assert {(each.where, each.severity) for each in found} >= {
        ("master.cf:4", Severity.WARNING),
        ("master.cf:5", Severity.ERROR),
    }
    assert any("nobody can log in" in each.message for each in found)


def test_a_port_whose_clients_begin_with_tls_needs_a_service_that_does():
    [problem] = findings("", "submissions inet n - n - - smtpd\n", severity=Severity.WARNING)
    assert "begin with TLS" in problem.message
