from postroad.store.change import Change, all_done


def test_a_change_begins_as_nothing():
    change = Change(print)
    assert (change.row, change.body, change.done, change.retry, change.lasting) == (
        None,
        None,
        0,
        None,
        False,
    )


def test_a_message_is_done_when_every_recipient_is(new):
    message = new("a@x.test", "b@x.test")
    assert not all_done(message)
    message.recipients[1].done = True
    assert not all_done(message)
    message.recipients[0].done = True
    assert all_done(message)
