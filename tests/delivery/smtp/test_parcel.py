from postroad.base.errors import StoreUnavailable
from postroad.delivery.smtp.parcel import Parcel
from postroad.model.message import Text
from postroad.model.outcome import Outcome


def parcel_of(job, indexes=None):
    return Parcel(job, lambda _: None, 10.0, lambda _, __: None, indexes)


def test_outcomes_go_to_their_places_in_the_job(job_of):
    job = job_of("a@x", "b@x", "c@x")
    parcel = parcel_of(job, [0, 2])
    assert [r.address for r in parcel.recipients] == ["a@x", "c@x"]
    first, last = Outcome("2.0.0", "yes"), Outcome("5.1.1", "no")
    parcel.outcomes = [first, last]
    parcel.settle()
    assert job.outcomes == [first, None, last]


def test_a_parcel_of_all_recipients_is_the_whole_job(job_of):
    job = job_of("a@x", "b@x")
    parcel = parcel_of(job)
    parcel.rest(Outcome("2.0.0", "yes"))
    parcel.settle()
    assert [o.status for o in job.outcomes] == ["2.0.0", "2.0.0"]


def test_only_deferred_recipients_may_go_elsewhere(job_of):
    parcel = parcel_of(job_of("a@x", "b@x", "c@x", "d@x"), [0, 1, 3])
    parcel.outcomes = [Outcome("4.2.0", "later"), Outcome("5.1.1", "no"), Outcome("2.0.0", "yes")]
    assert parcel.soft(bounces_too=False) == [0]
    assert parcel.soft(bounces_too=True) == [0, 1]


def test_times_and_reuse_are_noted_in_each_outcome(job_of):
    parcel = parcel_of(job_of("a@x"))
    parcel.sent = 10.5
    parcel.rest(Outcome("2.0.0", "yes"))
    parcel.stamp(11.75, 1)
    outcome = parcel.outcomes[0]
    assert (outcome.setup, outcome.transfer, outcome.reused) == (0.5, 1.25, 0)
    parcel.stamp(11.75, 3)
    assert outcome.reused == 3


def test_utf8_counts_in_the_header_only(job_of):
    for content, expected in [
        ("Subject: ü\r\n\r\n", True),
        ("Subject: u\r\n\r\nü\r\n", False),
        ("\r\n", False),
    ]:
        parcel = parcel_of(job_of(content=content.encode()))
        parcel.look_for_utf8()
        assert parcel.utf8_header == expected


def test_an_unreadable_header_is_not_looked_at(job_of):
    class Gone(Text):
        def pieces(self, size=1):
            raise StoreUnavailable("gone")

    content = Gone(b"x")
    content.data = None
    parcel = parcel_of(job_of(content=content))
    parcel.look_for_utf8()
    assert not parcel.utf8_header
