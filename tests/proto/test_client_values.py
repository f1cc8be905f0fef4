from postroad.model.message import Message, Recipient
from postroad.model.outcome import Outcome
from postroad.proto.client_values import Dispatch, Manners, Peer


def test_a_peer_is_named_with_its_address_and_port():
    peer = Peer("there", "192.0.2.1", 25)
    assert (peer.host, peer.relay) == ("there[192.0.2.1]", "there[192.0.2.1]:25")


def test_a_socket_in_the_file_system_has_no_port():
    assert Peer("me", "private/lmtp").relay == "me[private/lmtp]"


def test_the_rest_is_who_has_no_outcome_yet():
    recipients = [Recipient("a@b"), Recipient("c@d")]
    dispatch = Dispatch(Message(1, "", recipients, 0.0), recipients, 0)
    first, rest = Outcome("5.1.1", "no"), Outcome("2.0.0", "yes")
    dispatch.outcomes[0] = first
    dispatch.rest(rest)
    assert dispatch.outcomes == [first, rest]


def test_manners_are_those_of_postfix():
    manners = Manners("me", str)
    assert manners.always_ehlo
    assert manners.skip_5xx_greeting
    assert manners.convert_8bit
    assert not manners.never_ehlo
