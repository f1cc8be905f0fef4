from postroad.mail.message_id import message_id


def test_a_message_id_is_the_queue_id_at_the_host():
    assert message_id("0123456789ABCDE", "mx.example.test") == "<0123456789ABCDE@mx.example.test>"
