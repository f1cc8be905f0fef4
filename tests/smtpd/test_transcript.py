from __future__ import annotations

from postroad.proto.machine import Verb
from postroad.smtpd.transcript import counts_text


def test_commands_are_counted_in_postfix_order_and_failures_show():
    accepted, total = [0] * len(Verb), [0] * len(Verb)
    for verb, good, asked in (
        (Verb.QUIT, 1, 1), (Verb.EHLO, 1, 1), (Verb.RCPT, 1, 3), (Verb.UNKNOWN, 0, 2), (Verb.END, 5, 5),
    ):  # fmt: skip
        accepted[verb], total[verb] = good, asked
    assert counts_text(accepted, total) == " ehlo=1 rcpt=1/3 quit=1 unknown=0/2 commands=3/7"


def test_a_session_without_commands_says_so():
    nothing = [0] * len(Verb)
    assert counts_text(nothing, nothing) == " commands=0/0"
