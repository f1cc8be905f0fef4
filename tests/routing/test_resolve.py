"""The recipient behind an address.  The tables were made by asking Postfix 3.7's trivial-rewrite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.base import tasks
from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.model.params import params as model_params
from postroad.routing.params import params as routing_params
from postroad.routing.resolve import AddressResolver
from postroad.tables.context import TableContext
from postroad.tables.ours import OwnDomains


def resolver(**texts):
    texts = {
        "append_dot_mydomain": "no",
        "smtputf8_enable": "yes",
        "myhostname": "mx.example.test",
        "mydestination": "mx.example.test, example.test",
    } | texts
    settings = settings_of([model_params, routing_params], **texts)
    return AddressResolver(settings, OwnDomains(settings, TableContext(), ["127.0.0.1", "192.0.2.2"]))


@pytest.mark.parametrize(
    ("address", "recipient", "ours"),
    [
        ("a@example.test", "a@example.test", True),
        ("A+b@Mx.Example.TEST.", "A+b@Mx.Example.TEST", True),
        ("a@other.example", "a@other.example", False),
        ("a@other.example.", "a@other.example", False),
        ("user", "user@mx.example.test", True),
        ("", "MAILER-DAEMON@mx.example.test", True),
        ("@example.test", "MAILER-DAEMON@example.test", True),
        ("user%other.example@example.test", "user@other.example", False),
        ("other.example!user@example.test", "user@other.example", False),
        ("user@other.example@example.test", "user@other.example", False),
        ("@example.test:user@example.test", "user@mx.example.test", True),
        ("a b@other.example@example.test", "a b@other.example", False),
        ("a b%other.example@example.test", "a b@other.example", False),
        ("other.example!a b@example.test", "a b@other.example", False),
        ("us%er", "us@er", False),
        ("a!b!c@example.test", "b!c@a", False),
        ("a%b%c@example.test", "a%b@c", False),
        ("a!b%c@example.test", "b%c@a", False),
        ("b!a@c@example.test", "b!a@c", False),
        ("a%b%example.test@example.test", "a@b", False),
        ("user@[192.0.2.2]", "user@[192.0.2.2]", True),
        ("user@[192.0.2.3]", "user@[192.0.2.3]", False),
        ("user@[IPv6:2001:db8::1]", "user@[IPv6:2001:db8::1]", False),
        ("user%x.example@relay.example", "user%x.example@relay.example", False),
        (".@example.test", ".@example.test", True),
        ("|@example.test", "|@example.test", True),
    ],
)
async def test_an_address_resolves_as_in_postfix(address, recipient, ours):
    resolved = await resolver().resolve(address)
    assert (resolved.recipient, resolved.ours, resolved.valid) == (recipient, ours, True)
    assert resolved.domain == recipient.rpartition("@")[2]


@pytest.mark.parametrize(
    ("address", "recipient"),
    [
        ("user@", "user@"),
        ("@", "MAILER-DAEMON@"),
        ("user@.", "user@."),
        ("user@example.test..", "user@example.test.."),
        ("user@other.example..", "user@other.example.."),
        ("user@192.0.2.2", "user@192.0.2.2"),
        ("user@[2001:db8::1]", "user@[2001:db8::1]"),
        ("user@[nonsense]", "user@[nonsense]"),
        ("user@[192.0.2.2", "user@[192.0.2.2"),
        ("user@-bad.example", "user@-bad.example"),
        ("user@a..b", "user@a..b"),
        ("user@local host", "user@local host"),
        ("user@\udcff.example", "user@\udcff.example"),
    ],
)
async def test_a_bad_domain_is_told(address, recipient):
    resolved = await resolver().resolve(address)
    assert (resolved.recipient, resolved.valid) == (recipient, False)


@pytest.mark.parametrize(
    ("texts", "address", "recipient", "ours", "valid"),
    [
        (
            {"resolve_dequoted_address": "no"},
            "user@other@example.test",
            "user@other@example.test",
            True,
            True,
        ),
        ({"allow_percent_hack": "no"}, "user%other@example.test", "user%other@example.test", True, True),
        ({"swap_bangpath": "no"}, "other!user@example.test", "other!user@example.test", True, True),
        ({"resolve_null_domain": "yes"}, "user@", "user@mx.example.test", True, True),
        ({"resolve_numeric_domain": "yes"}, "user@192.0.2.2", "user@[192.0.2.2]", True, True),
        ({"resolve_numeric_domain": "yes"}, "user@192.0.2.9", "user@[192.0.2.9]", False, True),
        ({"resolve_numeric_domain": "yes"}, "user@1234", "user@1234", False, False),
        ({"empty_address_recipient": "nobody"}, "@example.test", "nobody@example.test", True, True),
        ({"mydestination": "", "myhostname": "mx.example.test"}, "user", "user@mx.example.test", False, True),
    ],
)
async def test_parameters_change_what_is_followed(texts, address, recipient, ours, valid):
    resolved = await resolver(**texts).resolve(address)
    assert (resolved.recipient, resolved.ours, resolved.valid) == (recipient, ours, valid)


async def test_a_table_that_fails_is_no_answer():
    with pytest.raises(TableUnavailable):
        await resolver(mydestination="fail:x").resolve("a@example.test")


async def test_an_address_that_leads_nowhere_ends():
    with pytest.raises(TableUnavailable, match="giving up"):
        await resolver(empty_address_recipient="").resolve("")


@given(st.text(alphabet='ab@%!."\\ []:,', max_size=60).map(lambda text: text + "@example.test"))
def test_no_address_of_ours_hides_another_domain_from_relay_control(address):
    got = []
    assert tasks.start(resolver().resolve(address), lambda *ended: got.append(ended))
    ((resolved, error),) = got
    assert error is None
    if resolved.ours and resolved.valid:
        local = resolved.recipient.rpartition("@")[0]
        assert not set("@%!") & set(local)
