from postroad.model.filters import AddRecipient, FilterOutcome
from postroad.model.reply import Reply


def test_an_outcome_is_plain_when_nothing_is_to_be_done():
    assert FilterOutcome().is_plain
    for other in (
        FilterOutcome(Reply(550, "", "no")),
        FilterOutcome(envelope=(AddRecipient("u@example.org"),)),
        FilterOutcome(header=b""),
        FilterOutcome(body=()),
        FilterOutcome(hold=True),
        FilterOutcome(discard=True),
    ):
        assert not other.is_plain
