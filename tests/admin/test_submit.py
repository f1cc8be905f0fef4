import pytest

from postroad.admin.dialogue import DialogueLost, connect_local
from postroad.admin.submit import Envelope, Refused, UnsendableAddress, submit
from postroad.model.message import DELAY, FAILURE, NEVER

TEXT = b"Subject: x\r\n\r\nhello\r\n"


def hand_in(scripted, envelope, *, lmtp=False):
    with connect_local(scripted.path) as dialogue:
        dialogue.lmtp = lmtp
        return submit(dialogue, "me", envelope, len(TEXT), [TEXT])


def test_a_receipt_has_the_queue_id(scripted):
    receipt = hand_in(scripted, Envelope("a@x", ["b@y"]))
    assert receipt.queue_id == "1983CB520EF3100"
    assert scripted.said == [
        b"EHLO me", b"MAIL FROM:<a@x> SIZE=21", b"RCPT TO:<b@y>", b"DATA",
        b"Subject: x", b"", b"hello", b".", b"QUIT",
    ]  # fmt: skip


def test_the_null_sender_is_sent_as_such(scripted):
    hand_in(scripted, Envelope("", ["b@y"]))
    assert scripted.said[1] == b"MAIL FROM:<> SIZE=21"


def test_what_the_sender_wants_to_be_told_is_sent(scripted):
    envelope = Envelope("a@x", ["b@y"], notify=FAILURE | DELAY, ret="HDRS", envid="a+b c", eight_bit=True)
    hand_in(scripted, envelope)
    assert scripted.said[1] == b"MAIL FROM:<a@x> SIZE=21 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+20c"
    assert scripted.said[2] == b"RCPT TO:<b@y> NOTIFY=FAILURE,DELAY"


def test_what_the_server_does_not_offer_is_left_out(scripted):
    scripted.answers["EHLO"] = b"250 there\r\n"
    hand_in(scripted, Envelope("a@x", ["b@y"], notify=NEVER, ret="FULL", envid="e", eight_bit=True))
    assert scripted.said[1:3] == [b"MAIL FROM:<a@x>", b"RCPT TO:<b@y>"]


@pytest.mark.parametrize(
    ("sender", "recipient", "asked", "expected"),
    [
        ("a@x", "b@y", False, False),
        ("a@x", "b@y", True, True),
        ("ä@x", "b@y", False, True),
        ("a@x", "b@例子", False, True),
    ],
)
def test_smtputf8_is_asked_for_where_it_is_needed(scripted, sender, recipient, asked, expected):
    hand_in(scripted, Envelope(sender, [recipient], smtputf8=asked))
    assert (b"SMTPUTF8" in scripted.said[1]) is expected


def test_a_local_part_is_quoted_on_the_wire(scripted):
    hand_in(scripted, Envelope("a b@x", ["b@y"]))
    assert scripted.said[1].startswith(b'MAIL FROM:<"a b"@x>')


@pytest.mark.parametrize("address", ["b@y\r\nRCPT TO:<c@z>", "b\n@y", "b\0@y", "b\x7f@y"])
def test_an_address_that_would_be_a_command_is_not_sent(scripted, address):
    with pytest.raises(UnsendableAddress):
        hand_in(scripted, Envelope("a@x", [address]))
    with pytest.raises(UnsendableAddress):
        hand_in(scripted, Envelope(address, ["b@y"]))
    assert not any(line.startswith((b"MAIL", b"RCPT")) for line in scripted.said)


@pytest.mark.parametrize(
    ("verb", "what"), [("", "greeting"), ("MAIL", "<a@x>"), ("DATA", "DATA"), (".", "end of message")]
)
@pytest.mark.parametrize(
    ("reply", "temporary"), [(b"451 4.3.0 Later\r\n", True), (b"550 5.7.1 No\r\n", False)]
)
def test_a_refusal_says_of_what_and_how_long(scripted, verb, what, reply, temporary):
    scripted.answers[verb] = reply
    with pytest.raises(Refused) as caught:
        hand_in(scripted, Envelope("a@x", ["b@y"]))
    assert caught.value.what == what
    assert caught.value.temporary is temporary


def test_one_refused_recipient_keeps_the_message_from_all(scripted):
    scripted.answers["RCPT TO:<no@y>"] = b"550 5.1.1 Unknown\r\n"
    with pytest.raises(Refused) as caught:
        hand_in(scripted, Envelope("a@x", ["b@y", "no@y"]))
    assert caught.value.what == "<no@y>"
    assert b"DATA" not in scripted.said


def test_a_server_that_goes_behind_the_dot_is_not_a_success(scripted):
    scripted.answers["."] = b""
    with pytest.raises(DialogueLost):
        hand_in(scripted, Envelope("a@x", ["b@y"]))


def test_lmtp_has_a_reply_for_each_recipient(scripted):
    scripted.answers["."] = b"250 2.1.5 one\r\n550 5.2.2 full\r\n"
    receipt = hand_in(scripted, Envelope("a@x", ["b@y", "c@y"]), lmtp=True)
    assert [reply.code for reply in receipt.replies] == [250, 550]


def test_lmtp_that_takes_it_for_nobody_is_a_refusal(scripted):
    scripted.answers["."] = b"452 4.2.2 full\r\n550 5.2.2 full\r\n"
    with pytest.raises(Refused) as caught:
        hand_in(scripted, Envelope("a@x", ["b@y", "c@y"]), lmtp=True)
    assert caught.value.temporary
