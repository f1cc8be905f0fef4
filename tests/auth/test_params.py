import pytest

from postroad.auth import params as p
from postroad.base.known import default_of
from postroad.base.params import settings_of


def test_the_defaults_are_postfixs_but_of_what_is_our_own():
    for param in p.params.params:
        assert default_of(param.name) == (None if param.own else param.default), param.name


def test_by_default_nobody_can_log_in():
    settings = settings_of([p.params])
    assert settings[p.AUTH_ENABLE] is False
    assert settings[p.SECURITY_OPTIONS] == ("noanonymous",)


def test_under_tls_as_much_is_forbidden_as_without():
    settings = settings_of([p.params], smtpd_sasl_security_options="noanonymous, noplaintext")
    assert settings[p.TLS_SECURITY_OPTIONS] == ("noanonymous", "noplaintext")


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (p.CACHE_TIME, "3601s"),
        (p.VERIFY_THREADS, "0"),
        (p.VERIFY_THREADS, "65"),
        (p.VERIFY_QUEUE, "0"),
        (p.FAILURE_LIMIT, "-1"),
        (p.FAILURE_TIME, "0s"),
        (p.FAILURE_DELAY, "301s"),
    ],
)
def test_a_value_out_of_bounds_is_refused(param, text):
    with pytest.raises(ValueError):
        param.read(text)
