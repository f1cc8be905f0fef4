from postroad.model.job import Job
from postroad.model.message import Message, Recipient, Text
from postroad.model.outcome import Outcome


def test_all_fills_only_what_has_no_outcome_yet():
    message = Message(1, "a@x", [Recipient("b@y"), Recipient("c@y")], 0.0, Text(b"x"))
    job = Job(message, message.recipients, "smtp", "y", message.content)
    known = Outcome("2.0.0", "ok")
    job.outcomes[0] = known
    rest = Outcome("4.0.0", "later")
    job.all(rest)
    assert job.outcomes == [known, rest]
