import pytest

from postroad.base.errors import TableUnavailable
from postroad.base.params import settings_of
from postroad.model.params import params
from postroad.tables.context import TableContext
from postroad.tables.ours import OwnDomains


def own(mydestination="mx.test, localhost"):
    settings = settings_of(
        [params],
        mydestination=mydestination,
        myorigin="Origin.test",
        mynetworks="127.0.0.1",
        append_dot_mydomain="no",
        smtputf8_enable="yes",
        syslog_name="x",
    )
    return OwnDomains(settings, TableContext(), ["192.0.2.25", "2001:db8::25"])


@pytest.mark.parametrize(
    ("domain", "local", "origin"),
    [
        ("MX.test", True, True),
        ("mx.test.", True, True),
        ("a.mx.test", False, False),
        ("origin.test", False, True),
        ("[192.0.2.25]", True, True),
        ("[192.0.2.26]", False, False),
        ("[IPv6:2001:DB8::25]", True, True),
        ("[ipv6:2001:db8::26]", False, False),
        ("[garbage]", False, False),
        ("192.0.2.25", False, False),
        ("", False, False),
    ],
)
async def test_own_domains(domain, local, origin):
    made = own()
    assert await made.matches(domain) is local
    assert await made.matches_or_origin(domain) is origin


async def test_a_table_that_fails_is_not_an_answer():
    with pytest.raises(TableUnavailable):
        await own("fail:x").matches("mx.test")
