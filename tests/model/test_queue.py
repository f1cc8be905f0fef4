from postroad.model.message import Message, Recipient
from postroad.model.queue import Settlement


def test_a_settlement_without_notices_has_none():
    settlement = Settlement(Message(1, "a@x", [Recipient("b@y")], 0.0), 5.0)
    assert settlement.notices == ()
    assert settlement.due == 5.0
