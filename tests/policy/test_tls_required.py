import pytest

from postroad.model.client import Client
from postroad.model.session import Session
from postroad.policy.tls_required import TlsRequired


async def test_anybody_may_connect_and_greet():
    session = Session(Client("192.0.2.1"))
    assert await TlsRequired().connect(session) is None
    assert await TlsRequired().helo(session) is None


@pytest.mark.parametrize(
    ("stage", "arguments"),
    [
        ("mail", ()),
        ("recipient", ("a@x",)),
        ("data", ()),
        ("end_of_data", (5,)),
        ("verify", ("a@x",)),
        ("etrn", ("x",)),
    ],
)
async def test_nothing_else_is_done_in_plain_text(stage, arguments):
    reply = await getattr(TlsRequired(), stage)(Session(Client("192.0.2.1")), *arguments)
    assert (reply.code, reply.status) == (530, "5.7.0")
