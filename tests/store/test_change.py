from postroad.store.change import Change


def test_a_change_begins_as_nothing():
    change = Change(print)
    assert (change.row, change.body, change.done, change.retry, change.lasting) == (
        None,
        None,
        0,
        None,
        False,
    )
