import pytest

from postroad.intake import refusal
from postroad.intake.refusal import RefusedError


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (refusal.WRITE_ERROR, "451 4.3.0 Error: queue file write error"),
        (refusal.ALIAS_ERROR, "451 4.6.0 Alias expansion error"),
        (refusal.TOO_MANY_HOPS, "554 5.4.0 Error: too many hops"),
        (refusal.BAD_CHARACTER, "550 5.7.1 disallowed character"),
        (refusal.HEADER_TOO_BIG, "552 5.3.4 Error: message header size exceeds fixed limit"),
    ],
)
def test_refusals_are_worded_as_postfix_words_them(reply, line):
    assert reply.line() == str(RefusedError(reply)) == line
    assert not reply.accepts
