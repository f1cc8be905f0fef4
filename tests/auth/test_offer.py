import asyncio

import pytest

from postroad.auth.offer import PROPERTIES, Offer
from postroad.tables.context import TableContext


def offered(options, filters=("static:rest",), *, tls=False, tls_options=("noanonymous",), tables=None):
    offer = Offer(options, tls_options, filters, tables or TableContext())
    every = PROPERTIES | {"ANONYMOUS": frozenset({"anonymous"})}
    return {name for name, has in every.items() if offer.allows(name, has, tls=tls)}


SCRAM = {name for name in PROPERTIES if name.startswith("SCRAM")}


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ((), set()),
        (("noanonymous",), {"ANONYMOUS"}),
        (("noplaintext", "noanonymous"), {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "ANONYMOUS"}),
        (("NoActive",), {"CRAM-MD5", "XOAUTH2", "OAUTHBEARER"}),
        (("nodictionary",), {"CRAM-MD5"}),
        (("mutual_auth",), {*PROPERTIES, "ANONYMOUS"} - SCRAM),
        (("forward_secrecy",), {*PROPERTIES, "ANONYMOUS"}),
    ],
)
def test_security_options(options, missing):
    assert {*PROPERTIES, "ANONYMOUS"} - offered(options) == missing
    assert "PLAIN" in offered(options, tls=True)


def test_the_filter(tmp_path):
    default = offered((), ("!external", "static:rest"))
    assert "EXTERNAL" not in default
    assert "PLAIN" in default
    assert offered((), ("plain", "login")) == {"PLAIN", "LOGIN"}
    assert offered((), ()) == set()
    (tmp_path / "list").write_text("plain\n!login\n")
    assert offered((), (str(tmp_path / "list"),)) == {"PLAIN"}
    assert offered((), (str(tmp_path / "missing"), "static:rest")) == set()


async def test_a_filter_that_has_to_wait_keeps_back():
    class Slow:
        name = "slow:x"

        async def lookup(self, key):
            await asyncio.sleep(0)
            return "yes"

    tables = TableContext()
    tables.tables["slow:x", False] = Slow()
    assert offered((), ("slow:x",), tables=tables) == set()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("which", ["options", "tls_options"])
def test_an_option_that_is_none(which):
    options = {"options": (), "tls_options": (), which: ("nosecrets",)}
    with pytest.raises(ValueError, match="security_options: nosecrets"):
        Offer(options["options"], options["tls_options"], (), TableContext())


def test_a_filter_that_is_none():
    with pytest.raises(ValueError, match="smtpd_sasl_mechanism_filter"):
        Offer((), (), ("!",), TableContext())
