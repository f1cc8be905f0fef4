import os
import pwd

import pytest

from auth.conftest import settings
from postroad.auth.check import check
from postroad.base.errors import Severity
from postroad.tables.context import TableContext


def found(**texts):
    texts = {"smtpd_sasl_auth_enable": "yes"} | texts
    return check(settings(**texts), lambda name: f"main.cf:{name}" if name in texts else "", TableContext())


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users"
    path.write_text("joe:{PLAIN}x\n")
    path.chmod(0o640)
    return {
        "smtpd_sasl_type": "postroad",
        "smtpd_sasl_path": str(path),
        "mail_owner": pwd.getpwuid(os.getuid()).pw_name,
    }


def test_nothing_to_say(users):
    assert found(smtpd_sasl_auth_enable="no", smtpd_sasl_type="nonsense") == []
    assert found(smtpd_sasl_type="dovecot", smtpd_sasl_path="private/auth") == []
    assert found(**users) == []
    assert found(smtpd_sasl_type="postroad", smtpd_sasl_path="pam:smtp") == []


def test_cyrus_is_not_supported():
    (problem,) = found()
    assert problem.severity is Severity.UNSUPPORTED
    assert problem.where == "main.cf:smtpd_sasl_auth_enable"
    assert "smtpd_sasl_type = cyrus" in problem.message
    assert "nobody can log in" in problem.hint


@pytest.mark.parametrize(
    ("texts", "why", "where"),
    [
        ({"smtpd_sasl_type": "ldap"}, "smtpd_sasl_type = ldap", "smtpd_sasl_type"),
        ({"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "inet:"}, "smtpd_sasl_path", "smtpd_sasl_path"),
        ({"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "unix:"}, "a path is missing", "smtpd_sasl_path"),
        ({"smtpd_sasl_type": "postroad"}, "smtpd_sasl_path = smtpd", "smtpd_sasl_type"),
    ],
)
def test_errors(texts, why, where):
    (problem,) = found(**texts)
    assert problem.severity is Severity.ERROR
    assert why in problem.message
    assert problem.where == f"main.cf:{where}"


def test_files_that_cannot_be_read(users, tmp_path):
    oauth = {
        "smtpd_oauth_keys": str(tmp_path / "keys"),
        "smtpd_oauth_issuer": "x",
        "smtpd_oauth_audience": "y",
    }
    one, two = found(**users | oauth | {"smtpd_sasl_path": str(tmp_path / "none")})
    assert "none: No such file" in one.message
    assert "keys: No such file" in two.message
    assert {one.severity, two.severity} == {Severity.WARNING}
    (tmp_path / "keys").write_text("{}")
    (problem,) = found(**users | oauth)
    assert "no set of public keys" in problem.message


def test_no_mechanism_is_left(users):
    (problem,) = found(**users, smtpd_sasl_mechanism_filter="gssapi")
    assert "no mechanism" in problem.message


def test_who_may_read_the_file(users):
    os.chmod(users["smtpd_sasl_path"], 0o644)
    (problem,) = found(**users)
    assert "everybody" in problem.message
    os.chmod(users["smtpd_sasl_path"], 0o600)
    assert found(**users) == []
    if os.getuid() == 0:
        (problem,) = found(**users | {"mail_owner": "nobody"})
        assert "cannot be read by mail_owner (nobody)" in problem.message
    assert found(**users | {"mail_owner": "no-such-user"}) == []
