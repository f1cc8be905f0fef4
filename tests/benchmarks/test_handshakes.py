import pytest
from benchmarks.handshakes import counted

SAID = """Collecting connection statistics for 1 seconds
****
4 connections in 0.01s; 400.00 connections/user sec, bytes read 0
1234 connections in 2 real seconds, 0 bytes read per connection
"""


@pytest.mark.parametrize(("text", "count"), [(SAID, 1234), ("ERROR\n", 0), ("", 0)])
def test_counts_by_the_clock_on_the_wall(text, count):
    assert counted(text) == count
