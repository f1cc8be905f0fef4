"""Addresses are completed and straightened as trivial-rewrite(8) does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.base.params import settings_of
from postroad.mail.rewrite import Rewriter
from postroad.model.params import params


def rewriter(**texts):
    usual = {
        "myorigin": "origin.test",
        "mydomain": "domain.test",
        "append_dot_mydomain": "yes",
        "mynetworks": "127.0.0.1",
        "smtputf8_enable": "yes",
        "syslog_name": "postfix",
    }
    return Rewriter(settings_of([params], **(usual | texts)))


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("user@example.com", "user@example.com"),
        ("User Name@Example.Com", "User Name@Example.Com"),
        ("", ""),
        ("@", "@"),
        ("user", "user@origin.test"),
        ("user@host", "user@host.domain.test"),
        ("user@host.", "user@host"),
        ("user@a.b.", "user@a.b"),
        ("user@a.b..", "user@a.b.."),
        ("user@.", "user@."),
        ("user@", "user@"),
        ("user@[192.0.2.1]", "user@[192.0.2.1]"),
        ("site!user", "user@site.domain.test"),
        ("a.b!c.d!user", "c.d!user@a.b"),
        ("user%host", "user@host.domain.test"),
        ("user%a.b%c.d", "user%a.b@c.d"),
        ("a!b@c.d", "a!b@c.d"),
        ("a%b@c.d", "a%b@c.d"),
        ("a b!c", "a b!c@origin.test"),
        ("@a.b,@c.d:user@e.f", "user@e.f"),
        ("@a.b:user", "user@origin.test"),
        ("@a.b", "@a.b"),
        ("!", "@"),
    ],
)
def test_an_address_of_local_mail_gets_its_standard_form(address, result):
    assert rewriter().rewrite(address) == result


@pytest.mark.parametrize(
    ("texts", "address", "result"),
    [
        ({"append_at_myorigin": "no"}, "user", "user"),
        ({"append_dot_mydomain": "no"}, "user@host", "user@host"),
        ({"swap_bangpath": "no"}, "site!user", "site!user@origin.test"),
        ({"allow_percent_hack": "no"}, "user%host", "user%host@origin.test"),
        ({"swap_bangpath": "no"}, "a!b%c.d", "a!b@c.d"),
    ],
)
def test_each_step_can_be_turned_off(texts, address, result):
    assert rewriter(**texts).rewrite(address) == result


@pytest.mark.parametrize(
    ("domain", "address", "result"),
    [
        ("", "user", "user"),
        ("", "user@host", "user@host"),
        ("", "a!b", "b@a"),
        ("invalid.test", "user", "user@invalid.test"),
        ("invalid.test", "user@host", "user@host.invalid.test"),
    ],
)
def test_remote_mail_is_completed_from_remote_header_rewrite_domain_only(domain, address, result):
    made = rewriter(remote_header_rewrite_domain=domain)
    assert made.rewrite(address, local=False) == result


@given(st.text(alphabet="ab.@%!:, \"[]'") | st.text())
def test_a_standard_form_with_a_dotted_domain_stays_as_it_is(text):
    made = rewriter()
    result = made.rewrite(text)
    domain = result.rpartition("@")[2]
    if result[:1] != "@" and "." in domain and not domain.endswith(".") and "@" in result:
        assert made.rewrite(result) == result
