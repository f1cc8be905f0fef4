import json

import pytest

from postroad.store.envelope import DamagedEnvelope, pack
from postroad.store.row import listed, message_of


def test_a_row_becomes_a_message(new):
    message = new()
    found = message_of((message.key, 7.5, "me", 1, 0, pack(message)))
    assert (found.key, found.due, found.owner, found.held) == (message.key, 7.5, "me", True)
    assert "expired" not in found.attributes


def test_an_expired_row_says_so(new):
    assert message_of((1, 0.0, "", 0, 1, pack(new()))).attributes["expired"]


def test_a_requeued_row_has_an_empty_filter(new):
    attributes = message_of((1, 0.0, "", 0, 2, pack(new()))).attributes
    assert attributes["content_filter"] == ""
    assert "expired" not in attributes


def test_a_damaged_row_is_refused():
    with pytest.raises(DamagedEnvelope):
        message_of((1, 0.0, "", 0, 0, b""))


def test_keys_go_as_json():
    assert json.loads(listed(key for key in (3, 2**59))) == [3, 2**59]
