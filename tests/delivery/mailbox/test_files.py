"""Writing to files."""

from __future__ import annotations

import errno
import os

import pytest

from postroad.delivery.mailbox import files


def test_a_short_write_is_finished(monkeypatch):
    written = []
    monkeypatch.setattr(os, "write", lambda fd, data: written.append(data[:3]) or len(data[:3]))
    files.write_all(1, b"12345678")
    assert b"".join(written) == b"12345678"


@pytest.mark.parametrize(("size", "limit", "fits"), [(10, 0, True), (10, 10, True), (11, 10, False)])
def test_a_size_is_kept_within_its_limit(size, limit, fits):
    if fits:
        files.keep_within(size, limit)
        return
    with pytest.raises(OSError, match="File too large") as raised:
        files.keep_within(size, limit)
    assert raised.value.errno == errno.EFBIG
