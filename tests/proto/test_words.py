from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.proto.words import split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  NOOP  x ", ["NOOP", "x"]),
        ("MAIL FROM:<a@b> SIZE=1", ["MAIL", "FROM:", "<a@b>", "SIZE=1"]),
        ("mail from:a@b", ["mail", "from:", "a@b"]),
        ("MAIL FROM:", ["MAIL", "FROM:"]),
        ("MAIL FROM :<a@b>", ["MAIL", "FROM", ":<a@b>"]),
        ("RCPT TO:\t<a@b>\tNOTIFY=NEVER", ["RCPT", "TO:", "<a@b>", "NOTIFY=NEVER"]),
        ('MAIL FROM:<"a b"@c> X="d e"', ["MAIL", "FROM:", '<"a b"@c>', 'X="d e"']),
        ("MAIL FROM:Name <a@b>", ["MAIL", "FROM:", "Name", "<a@b>"]),
        ("MAIL FROM:<a <b> c>", ["MAIL", "FROM:", "<a <b> c>"]),
        ("VRFY a\\ b", ["VRFY", "a\\ b"]),
        ("X=[a b]", ["X=[a", "b]"]),
        ("A FOO:BAR", ["A", "FOO:BAR"]),
    ],
)
def test_a_line_is_cut_where_postfix_cuts_it(line, words):
    assert split(line) == words
    assert all(word.whole for word in split(line))


@pytest.mark.parametrize("line", ["MAIL FROM:<a@b", 'MAIL FROM:"a b', "MAIL FROM:<a\\>", 'MAIL FROM:<"a>'])
def test_an_open_quote_is_noticed(line):
    assert split(line)[2].whole is False


@given(st.text(st.sampled_from('a <>"\\:\t'), max_size=60))
def test_no_character_is_lost_but_blanks(line):
    assert "".join(split(line)).replace(" ", "").replace("\t", "") == line.replace(" ", "").replace("\t", "")
