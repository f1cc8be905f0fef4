from __future__ import annotations

from postroad.app.registry import registry
from postroad.app.strain import strained
from postroad.base.config import load_texts
from postroad.base.params import Facts
from postroad.smtpd.params import HARD_ERRORS, TIMEOUT

MASTER = "smtp inet n - n - - smtpd\n587 inet n - n - - smtpd\n  -o stress=\n  -o smtpd_timeout=${stress?{1}:{2}}s\n"


def test_a_full_service_has_the_settings_of_stress_unless_it_says_so_itself():
    config = load_texts(
        "smtpd_hard_error_limit = ${stress?{3}:{4}}\n", MASTER, "/etc/postfix", registry(), Facts()
    )
    other = strained(config)
    assert other.settings_for("smtp/inet")[HARD_ERRORS] == 3
    assert other.settings_for("smtp/inet")[TIMEOUT] == 10
    assert other.settings_for("587/inet")[HARD_ERRORS] == 4
    assert other.settings_for("587/inet")[TIMEOUT] == 2
    assert config.settings_for("smtp/inet")[HARD_ERRORS] == 4
