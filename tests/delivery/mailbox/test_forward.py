"""New messages out of old ones."""

from __future__ import annotations

import pytest

from postroad.delivery.mailbox.forward import Trace, forwarded, heir, with_head
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Message, Recipient, Text


def test_fields_are_put_in_front_in_memory_and_in_pieces(pieces):
    assert with_head(b"A: b\r\n", Text(b"C: d\r\n")).data == b"A: b\r\nC: d\r\n"
    large = with_head(b"A: b\r\n", pieces(b"C: ", b"d\r\n"))
    assert large.data is None
    assert (large.size, b"".join(large.pieces())) == (12, b"A: b\r\nC: d\r\n")


@pytest.mark.parametrize("whole", [True, False])
def test_the_header_tells_the_way_so_far(pieces, whole):
    text = (
        b"Delivered-To: Bob@Here.test\r\nReceived: by a\r\n\tid x\r\nDELIVERED-TO:\r\n list@here.test\r\n"
        b'received: by b\r\nDelivered-To: "a b"@x\r\n\r\nDelivered-To: body@x\r\nReceived: no\r\n'
    )
    trace = Trace(Text(text) if whole else pieces(text))
    assert trace.delivered_to == {"bob@here.test", "list@here.test", "a b@x"}
    assert trace.hops == 2


def test_an_empty_content_tells_nothing(pieces):
    assert Trace(pieces()).hops == 0


@pytest.mark.parametrize(
    ("notify", "left"),
    [
        (0, 0),
        (SUCCESS, NEVER),
        (SUCCESS | FAILURE, FAILURE),
        (FAILURE | DELAY, FAILURE | DELAY),
        (NEVER, NEVER),
    ],
)
def test_success_is_not_asked_for_a_second_time(notify, left):
    assert heir(Recipient("a@x", notify=notify), "b@x", keep_envelope=True).notify == left


def test_an_alias_hands_its_envelope_on_and_a_list_does_not():
    old = Recipient("a@x", "orig@x", FAILURE, "rfc822;orig@x")
    same, new = heir(old, "b@x", keep_envelope=True), heir(old, "b@x", keep_envelope=False)
    assert (same.address, same.original, same.orcpt) == ("b@x", "orig@x", "rfc822;orig@x")
    assert (new.address, new.original, new.orcpt) == ("b@x", "b@x", "")
    message = Message(1, "s@x", [old], 0.0, Text(b"x"))
    message.envid, message.ret, message.smtputf8 = "id", "FULL", True
    message.attributes["log_client_name"] = "c"
    kept = forwarded(message, 2, "s@x", [same], Text(b"x"), 5.0, keep_envelope=True)
    fresh = forwarded(message, 3, "o@x", [new], Text(b"x"), 5.0, keep_envelope=False)
    assert (kept.envid, kept.ret, kept.smtputf8, kept.arrival) == ("id", "FULL", True, 5.0)
    assert (fresh.envid, fresh.ret, fresh.sender) == ("", "", "o@x")
    assert kept.attributes == message.attributes
    assert kept.attributes is not message.attributes


def test_what_is_made_here_has_no_content_filter():
    message = Message(1, "s@x", [], 0.0)
    message.attributes = {"log_client_name": "c", "content_filter": "local:"}
    made = forwarded(message, 2, "s@x", [], Text(b""), 1.0, keep_envelope=True)
    assert made.attributes == {"log_client_name": "c"}
