"""The right-hand side of an alias."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.delivery.mailbox.aliases import Sort, read_alias


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("alice", ["alice"]),
        ("alice, bob@x.test,carol", ["alice", "bob@x.test", "carol"]),
        (" alice ,, bob , ", ["alice", "bob"]),
        ('"a, b"@x.test, c', ["a, b@x.test", "c"]),
        ("Alice (the first, ever) <alice@x.test>, bob (him)", ["alice@x.test", "bob"]),
        ("<alice@x.test>", ["alice@x.test"]),
        ('"alice"', ["alice"]),
        ("\\alice", ["alice"]),
        ("", []),
        ("(nobody)", []),
        (",", []),
        ("<>", []),
    ],
)
def test_addresses_stand_between_commas(value, members):
    assert read_alias(value) == [(Sort.ADDRESS, text) for text in members]


@pytest.mark.parametrize(
    ("value", "sort", "text"),
    [
        ('"|/usr/bin/vacation -a, alice"', Sort.COMMAND, "/usr/bin/vacation -a, alice"),
        ("|/bin/cat", Sort.COMMAND, "/bin/cat"),
        ("/var/mail/archive", Sort.FILE, "/var/mail/archive"),
        ('"/var/mail/with blank"', Sort.FILE, "/var/mail/with blank"),
        (":include:/etc/list", Sort.INCLUDE, "/etc/list"),
        (":Include: /etc/list", Sort.INCLUDE, "/etc/list"),
        ('":include:/etc/a list"', Sort.INCLUDE, "/etc/a list"),
    ],
)
def test_commands_files_and_lists_are_told_apart(value, sort, text):
    assert read_alias(value) == [(sort, text)]


@given(st.text(max_size=60))
def test_no_text_is_too_odd(value):
    assert all(member.text for member in read_alias(value))


def test_a_long_value_with_open_quotes_takes_no_time():
    assert read_alias('"' * 100_001 + "(" * 100_000)
