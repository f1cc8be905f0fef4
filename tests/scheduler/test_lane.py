from postroad.model.job import Attempt
from postroad.model.message import Message, Recipient
from postroad.scheduler.feedback import Law
from postroad.scheduler.lane import Lane


def lane():
    return Lane("example.org", Law(20, 5, lambda _w: 1, lambda _w: 1, 1))


def attempt(sender, key=1):
    return Attempt(Message(key, sender, [Recipient("x@example.org")], 0.0), 0.0, 0.0)


def test_senders_take_turns_whatever_one_of_them_has_queued():
    line = lane()
    for key in range(5):
        line.put(attempt("bulk@a", key), [])
    line.put(attempt("ann@b", 9), [])
    order = [line.take()[0].message.sender for _ in range(6)]
    assert order == ["bulk@a", "ann@b", "bulk@a", "bulk@a", "bulk@a", "bulk@a"]
    assert line.waiting == 0


def test_the_jobs_of_one_sender_keep_their_order():
    line = lane()
    for key in range(3):
        line.put(attempt("a@a", key), [])
    assert [line.take()[0].message.key for _ in range(3)] == [0, 1, 2]


def test_draining_gives_everything_that_waits():
    line = lane()
    line.put(attempt("a@a"), [])
    line.put(attempt("b@b"), [])
    assert len(line.drain()) == 2
    assert not line.waiting
    assert line.drain() == []
