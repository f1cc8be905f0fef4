"""What stays while settings come and go."""

from postroad.model.message import Message


class Scheduler:
    def __init__(self):
        self.added = []

    def add(self, message):
        self.added.append(message)


async def test_what_is_on_disk_goes_to_the_scheduler(core):
    core.scheduler = Scheduler()
    message = Message(1, "s@x", [], 0.0)
    core.accepted(message)
    assert core.scheduler.added == [message]


async def test_before_there_is_a_scheduler_it_stays_in_the_queue(core):
    core.accepted(Message(1, "s@x", [], 0.0))
