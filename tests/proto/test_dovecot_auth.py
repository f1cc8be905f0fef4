from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.dovecot_auth import (
    LINE_LIMIT,
    Accepted,
    AuthClient,
    AuthProtocolError,
    Context,
    Continue,
    Ready,
    Rejected,
    ResponseTooLongError,
)

HELLO = (
    b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tlogin\tplaintext\nMECH\tSCRAM-SHA-1\tmutual-auth\n"
    b"MECH\tSECRET\tprivate\nSPID\t12\nCUID\t3\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"
)
MECHANISMS = {
    "PLAIN": frozenset({"plaintext"}),
    "LOGIN": frozenset({"plaintext"}),
    "SCRAM-SHA-1": frozenset({"mutual-auth"}),
}
ANSWERS = (
    b"CONT\t1\tVXNlcm5hbWU6\nCONT\t2\t\nOK\t3\tuser=joe\tsecured\nFAIL\t4\tuser=j\x01to\x011e\treason=no, really\n"
    b"FAIL\t5\ttemp\nFAIL\t6\tuser=ann\tauthz\tuser_disabled\tpass_expired\tcode=x\nNEWS\t7\n"
)
EVENTS = [
    Continue(1, b"Username:"),
    Continue(2, b""),
    Accepted(3, "joe"),
    Rejected(4, "j\to\1e", "no, really"),
    Rejected(5, temporary=True),
    Rejected(6, "ann", flags=frozenset({"authz", "user_disabled", "pass_expired"})),
]


def greeted():
    client = AuthClient(7)
    assert list(client.feed(HELLO)) == [Ready(MECHANISMS)]
    return client


def test_the_handshake():
    client = AuthClient(4711)
    assert client.hello() == b"VERSION\t1\t1\nCPID\t4711\n"
    assert not client.ready
    assert list(client.feed(HELLO)) == [Ready(MECHANISMS)]
    assert client.ready


@given(st.lists(st.integers(0, len(HELLO + ANSWERS)), max_size=12))
def test_how_the_bytes_are_cut_never_matters(places):
    client = AuthClient(1)
    data = HELLO + ANSWERS
    cuts = [0, *sorted(places), len(data)]
    found = [event for a, b in pairwise(cuts) for event in client.feed(data[a:b])]
    assert found == [Ready(MECHANISMS), *EVENTS]


def test_what_is_sent():
    client = greeted()
    bare = Context("smtp")
    assert client.begin(1, "LOGIN", bare, None) == b"AUTH\t1\tLOGIN\tservice=smtp\tnologin\n"
    full = Context("submission", "192.0.2.25", "2001:db8::1", secured=True, valid_certificate=True)
    assert client.begin(2, "PLAIN", full, b"\0joe\0secret") == (
        b"AUTH\t2\tPLAIN\tservice=submission\tnologin\tlip=192.0.2.25\trip=2001:db8::1\tsecured"
        b"\tvalid-client-cert\tresp=AGpvZQBzZWNyZXQ=\n"
    )
    assert client.begin(3, "EXTERNAL", bare, b"") == b"AUTH\t3\tEXTERNAL\tservice=smtp\tnologin\tresp=\n"
    assert client.resume(1, b"joe") == b"CONT\t1\tam9l\n"
    assert client.cancel(1) == b"CANCEL\t1\n"


def test_no_line_is_longer_than_dovecot_reads():
    client = greeted()
    with pytest.raises(ResponseTooLongError):
        client.begin(1, "PLAIN", Context("smtp"), b"x" * LINE_LIMIT)
    with pytest.raises(ResponseTooLongError):
        client.resume(1, b"x" * LINE_LIMIT)
    assert len(client.resume(1, b"x" * 6000)) <= LINE_LIMIT


@pytest.mark.parametrize("address", ["1\t2", "1\nOK"])
def test_nothing_gets_into_a_line(address):
    with pytest.raises(ValueError, match="tab"):
        greeted().begin(1, "PLAIN", Context("smtp", address), None)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\n",
        b"VERSION\t2\t0\n",
        b"VERSION\n",
        b"DONE\n",
        b"VERSION\t1\t2\nSPID\t12\n",
        b"\n",
        b"MECH\tPLAIN\n" + b"x" * 10 + b"\n",
        b"x" * (LINE_LIMIT + 1),
        b"x" * (LINE_LIMIT + 1) + b"\n",
        b"VERSION\t1\t1\n" + b"".join(b"MECH\tX%d\n" % n for n in range(100)),
        HELLO + b"OK\n",
        HELLO + b"OK\tx\tuser=joe\n",
        HELLO + b"OK\t-1\tuser=joe\n",
        HELLO + b"OK\t1\n",
        HELLO + b"OK\t1\tuser=\n",
        HELLO + b"OK\t1\tuser=a\x01nb\n",
        HELLO + b"OK\t99999999999\tuser=joe\n",
        HELLO + b"CONT\t1\t!!!\n",
        HELLO + b"FAIL\n",
    ],
)
def test_garbage_ends_the_connection(data):
    with pytest.raises(AuthProtocolError):
        list(AuthClient(1).feed(data))


@given(st.binary(max_size=200))
def test_only_an_ok_with_a_user_is_a_yes(data):
    try:
        events = list(greeted().feed(data))
    except AuthProtocolError:
        return
    assert b"OK\t" in data or not any(isinstance(event, Accepted) for event in events)
