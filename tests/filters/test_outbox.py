import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.filters import outbox as module
from postroad.filters.outbox import Outbox


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MEMORY", 10)
    monkeypatch.setattr(module, "PIECE", 7)
    made = Outbox(str(tmp_path))
    yield made
    made.close()


def drained(outbox):
    return b"".join(iter(outbox.take, b""))


def test_what_goes_in_comes_out_in_order_from_memory_and_from_the_file(outbox, tmp_path):
    assert not outbox
    assert outbox.take() == b""
    for piece in (b"0123", b"", b"456789", b"a" * 20, b"b"):
        outbox.put(piece)
    assert outbox
    assert outbox.take() == b"0123"
    outbox.put(b"c")  # behind what is in the file, though there is room in memory
    assert drained(outbox) == b"456789" + b"a" * 20 + b"bc"
    assert not outbox
    assert os.listdir(tmp_path) == []  # the file has no name


def test_the_file_is_used_from_its_beginning_once_it_was_read(outbox):
    for _ in range(3):
        outbox.put(b"x" * 50)
        assert drained(outbox) == b"x" * 50
    assert os.fstat(outbox._file.fileno()).st_size == 50


def test_a_disk_that_refuses_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MEMORY", 0)
    with pytest.raises(OSError, match="No such file"):
        Outbox(str(tmp_path / "gone")).put(b"x")


def test_what_is_closed_is_empty(outbox):
    outbox.put(b"x")
    outbox.put(b"y" * 50)
    outbox.close()
    assert not outbox
    assert outbox.take() == b""


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=30)), max_size=40))
def test_any_order_of_puts_and_takes_is_a_queue(steps):
    before, module._MEMORY = module._MEMORY, 10
    try:
        outbox, put, taken = Outbox("/tmp"), b"", b""
        for step in steps:
            if step is None:
                taken += outbox.take()
            else:
                outbox.put(step)
                put += step
        assert taken + drained(outbox) == put
        outbox.close()
    finally:
        module._MEMORY = before
