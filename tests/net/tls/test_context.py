from peers.certificates import self_signed
from peers.tlsends import client_context, meet, options_of, server_of
from postroad.net.tls.context import Verdicts, Verification, new_context


def test_verdicts_are_remembered_for_a_while(monkeypatch):
    monkeypatch.setattr("postroad.net.tls.context._REMEMBERED", 2)
    verdicts = Verdicts()
    for name, trusted in ((b"one", True), (b"two", False), (b"one", True), (b"three", True)):
        verdicts.note(name, trusted)
    assert [verdicts.of(name) for name in (b"one", b"two", b"three", b"four")] == [True, False, True, False]


def test_a_verification_without_a_memory_trusts_no_resumed_session():
    verification = Verification()
    assert verification.trusted(b"der", resumed=False)
    assert not verification.trusted(b"der", resumed=True)
    verification.errors.append((0, 18))
    assert not verification.trusted(b"der", resumed=False)


def test_what_is_wrong_with_a_peer_is_noted_and_ends_nothing():
    client, accepted = meet(server_of(self_signed("mx.test", expired=True)), client_context())
    assert client.established
    assert accepted.established
    assert {number for _depth, number in client.verification.errors} == {18, 10}  # self-signed, expired


def test_a_new_context_neither_compresses_nor_renegotiates():
    from OpenSSL import SSL

    bits = options_of(new_context())
    assert bits & SSL.OP_NO_COMPRESSION
    assert bits & SSL.OP_NO_RENEGOTIATION
