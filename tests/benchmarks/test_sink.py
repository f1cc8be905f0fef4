import pytest
from benchmarks.sink import newest


@pytest.mark.parametrize(
    ("printed", "count", "rest"),
    [
        (b"", 0, b""),
        (b"sess=1 quit=0 mesg=12", 0, b"sess=1 quit=0 mesg=12"),
        (b"sess=1 quit=0 mesg=1\rsess=1 quit=0 mesg=2\r", 2, b""),
        (b"sess=1 quit=0 mesg=12\rsess=1 quit=0 mesg=1", 12, b"sess=1 quit=0 mesg=1"),
    ],
)
def test_only_a_complete_count_is_read(printed, count, rest):
    assert newest(printed) == (count, rest)


def test_the_counts_are_the_same_however_the_output_is_cut():
    whole = b"".join(b"sess=1 quit=0 mesg=%d\r" % number for number in range(1, 120))
    for cut in range(len(whole)):
        _, rest = newest(whole[:cut])
        assert newest(rest + whole[cut:])[0] in (119, 0)
        assert max(newest(whole[:cut])[0], newest(rest + whole[cut:])[0]) == 119
