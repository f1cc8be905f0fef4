from postroad.model.message import Message, Recipient, Text


def test_a_text_comes_in_pieces_that_make_it_up():
    data = bytes(range(256)) * 10
    assert b"".join(Text(data).pieces(100)) == data
    assert list(Text(b"ab").pieces(100)) == [b"ab"]
    assert Text(data).size == 2560


def test_a_message_knows_who_still_needs_it():
    message = Message(255, "a@x", [Recipient("b@y"), Recipient("c@y", "o@y")], 0.0, Text(b"x"))
    message.recipients[0].done = True
    assert [r.address for r in message.open_recipients()] == ["c@y"]
    assert message.id == "0000000000000FF"
    assert message.recipients[1].original == "o@y"
    assert message.recipients[0].original == "b@y"


def test_a_message_is_done_when_every_recipient_is():
    message = Message(1, "s@x.test", [Recipient("a@x.test"), Recipient("b@x.test")], 0.0)
    assert not message.is_done()
    message.recipients[1].done = True
    assert not message.is_done()
    message.recipients[0].done = True
    assert message.is_done()
