import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.sasl.client_password import Login, Plain
from postroad.proto.sasl.client_values import Credentials
from postroad.proto.sasl.server import WRONG, CheckPassword, Done, Failed
from postroad.proto.sasl.server_plain import login, plain
from proto.sasl.driving import Driver, run


def right(wish):
    return wish == CheckPassword("joe", "secret")


@pytest.mark.parametrize(
    ("responses", "found"),
    [
        ([b"\0joe\0secret"], [Done("joe")]),
        ([None, b"\0joe\0secret"], [b"", Done("joe")]),
        ([b"joe\0Joe\0secret"], [Done("joe")]),
        ([b"\0joe\0wrong"], [Failed(WRONG, "joe")]),
        ([b"\0ann\0secret"], [Failed(WRONG, "ann")]),
        ([b"root\0joe\0secret"], [Failed("the authorization identity is another's", "joe")]),
        ([b"\0joe\0"], [Failed("the password is empty", "joe")]),
        ([b"\0joe\0sec\0ret"], [Failed("the PLAIN response is malformed")]),
        ([b"joe\0secret"], [Failed("the PLAIN response is malformed")]),
        ([b""], [Failed("the PLAIN response is malformed")]),
        ([b"\0\0secret"], [Failed("the user name is empty")]),
    ],
)
def test_plain(responses, found):
    assert run(plain, responses, right) == found


@pytest.mark.parametrize(
    ("responses", "found"),
    [
        ([None, b"joe", b"secret"], [b"Username:", b"Password:", Done("joe")]),
        ([b"joe", b"secret"], [b"Password:", Done("joe")]),
        ([None, b"joe", b"wrong"], [b"Username:", b"Password:", Failed(WRONG, "joe")]),
        (
            [None, b"joe", b"se\0cret"],
            [b"Username:", b"Password:", Failed("the password is not valid", "joe")],
        ),
        ([None, b""], [b"Username:", Failed("the user name is empty")]),
    ],
)
def test_login(responses, found):
    assert run(login, responses, right) == found


@pytest.mark.parametrize(("mechanism", "client"), [(plain, Plain), (login, Login)])
def test_our_own_client_logs_in(mechanism, client):
    exchange = client(Credentials("joe", "secret"))
    driver = Driver(mechanism, right)
    found = driver.step(exchange.initial())
    while isinstance(found, bytes):
        found = driver.step(exchange.respond(found))
    assert found == Done("joe")


@given(st.sampled_from([plain, login]), st.lists(st.none() | st.binary(max_size=60), min_size=1, max_size=4))
def test_whatever_comes_there_is_an_end_and_no_yes(mechanism, responses):
    first, *rest = responses
    found = run(mechanism, [first, *(response or b"" for response in rest)], lambda wish: False)
    assert all(isinstance(step, bytes | Failed) for step in found)
