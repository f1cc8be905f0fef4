import pytest

from postroad.intake.space import Space, free_bytes


def space(bench, free, **texts):
    b = bench(**texts)
    asked = []

    def ask(directory):
        asked.append(directory)
        if isinstance(free, Exception):
            raise free
        return free

    return Space(b.settings, b.log, b.clock, ask), asked, b


@pytest.mark.parametrize(
    ("free", "limit", "minimum", "size", "expected"),
    [
        (1501, "1000", "0", 0, True),
        (1500, "1000", "0", 0, False),
        (3000, "1000", "3000", 0, False),
        (3001, "1000", "3000", 0, True),
        (5000, "0", "0", 5000, False),
        (5001, "0", "0", 5000, True),
        (OSError(5, "I/O error"), "0", "0", 0, False),
    ],
)
def test_one_and_a_half_messages_must_fit(bench, free, limit, minimum, size, expected):
    s, _, b = space(bench, free, message_size_limit=limit, queue_minfree=minimum)
    assert s.has(size) is expected
    assert bool(b.sink.lines) is not expected


def test_the_file_system_is_asked_once_a_second(bench):
    s, asked, b = space(bench, 1 << 40)
    s.has()
    b.clock.advance(0.9)
    s.has()
    assert len(asked) == 1
    b.clock.advance(0.2)
    s.has()
    assert len(asked) == 2


def test_a_real_file_system_has_some_number(tmp_path):
    assert free_bytes(str(tmp_path)) >= 0
