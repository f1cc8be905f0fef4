import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.conftest import HEADER, OWN
from postroad.filters import edits
from postroad.filters.edits import (
    body_of,
    changed_recipients,
    changed_sender,
    edited_content,
    edited_header,
    field_of,
    own_field,
)
from postroad.mail.header import block_end
from postroad.model.filters import AddRecipient, ChangeSender, DeleteRecipient, FilterOutcome
from postroad.model.message import NEVER, Recipient, Text
from postroad.proto.milter.edits import AddHeader, ChangeHeader, InsertHeader, TooLarge

PREPENDED = b"X-Pre: one\r\n" + OWN + b"Subject: s\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\nReceived: other\r\n"


def names(header):
    lines = (line for line in header.split(b"\r\n") if line[:1] not in (b"", b"\t"))
    return b"".join(line.partition(b":")[0][:3] + b" " for line in lines)


def test_our_own_field_is_the_first_received():
    assert own_field(PREPENDED) == OWN
    assert own_field(b"Subject: s\r\n") == b""


def test_the_edits_of_a_real_milter_give_what_postfix_makes_of_them():
    """What Postfix 3.7 had in its queue after these edits of this message."""
    header = (
        b"X-Pre: one\r\nX-Pre: one\r\n" + OWN + b"Subject: s\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\nFrom: s\r\n"
    )
    done = [
        InsertHeader(0, b"I0", b"zero"),
        InsertHeader(1, b"I1", b"one"),
        InsertHeader(3, b"I3", b"three\nfold\n\tx"),
        InsertHeader(99, b"I99", b"ninetynine"),
        ChangeHeader(2, b"x-a", b"changed2"),
        ChangeHeader(1, b"X-A", b""),
        ChangeHeader(7, b"X-A", b"seven"),
        ChangeHeader(7, b"X-A", b""),
        ChangeHeader(1, b"Received", b"nope"),
        AddHeader(b"Add", b" lead"),
    ]
    assert edited_header(header, done, OWN) == (
        b"I0: zero\r\nI1: one\r\nX-Pre: one\r\nI3: three\r\n\tfold\r\n\tx\r\nX-Pre: one\r\n" + OWN
        + b"Subject: s\r\nx-a: changed2\r\nX-A: 3\r\nFrom: s\r\nI99: ninetynine\r\nX-A: seven\r\n"
        b"Received: nope\r\nAdd:  lead\r\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (InsertHeader(0, b"N", b"v"), b"N X-P Rec Sub X-A X-A X-A Rec "),
        (InsertHeader(2, b"N", b"v"), b"X-P Rec N Sub X-A X-A X-A Rec "),
        (ChangeHeader(1, b"received", b""), b"X-P Rec Sub X-A X-A X-A "),
        (ChangeHeader(3, b"x-a", b""), b"X-P Rec Sub X-A X-A Rec "),
        (ChangeHeader(4, b"x-a", b""), b"X-P Rec Sub X-A X-A X-A Rec "),
        (ChangeHeader(1, b"X-Pre", b""), b"Rec Sub X-A X-A X-A Rec "),
    ],
)
def test_places(edit, found):
    assert names(edited_header(PREPENDED, [edit], OWN)) == found


def test_our_own_field_stays_hidden_wherever_it_comes_to_stand():
    done = [ChangeHeader(1, b"X-Pre", b""), InsertHeader(0, b"A", b"b"), ChangeHeader(1, b"Received", b"x")]
    assert edited_header(PREPENDED, done, OWN) == (
        b"A: b\r\n" + OWN + b"Subject: s\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\nReceived: x\r\n"
    )


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (b"v", b"N: v\r\n"),
        (b"", b"N: \r\n"),
        (b"a\n b", b"N: a\r\n b\r\n"),
        (b"a\nEvil: b", b"N: a\r\n\tEvil: b\r\n"),
        (b"a\r\n\r\nbody", b"N: a\r\n\tbody\r\n"),
        (b"a\rb", b"N: a\r\n\tb\r\n"),
        (b"a\n", b"N: a\r\n"),
        (b"\n\n", b"N: \r\n"),
    ],
)
def test_fields(value, field):
    assert field_of(b"N", value) == field


def test_leading_space_is_the_milters_own():
    assert field_of(b"N", b" v", leading_space=True) == b"N: v\r\n"
    assert field_of(b"N", b"v", leading_space=True) == b"N:v\r\n"
    assert edited_header(b"", [AddHeader(b"A", b"\tx")], b"", leading_space=True) == b"A:\tx\r\n"


VALUES = st.text("\r\n \t:aX", max_size=12).map(str.encode)
EDITS = st.one_of(
    st.builds(AddHeader, st.sampled_from([b"X-A", b"New"]), VALUES),
    st.builds(InsertHeader, st.integers(0, 9), st.just(b"New"), VALUES),
    st.builds(ChangeHeader, st.integers(1, 4), st.sampled_from([b"x-a", b"received", b"subject"]), VALUES),
)


@given(st.lists(EDITS, max_size=8))
def test_whatever_is_edited_stays_one_header_block_with_our_field_in_it(done):
    header = edited_header(HEADER, done, OWN)
    assert block_end(header) == len(header)
    assert OWN in header
    assert header.replace(b"\r\n", b"").count(b"\r") == header.replace(b"\r\n", b"").count(b"\n") == 0


def test_a_header_has_a_limit(monkeypatch):
    monkeypatch.setattr(edits, "HEADER_LIMIT", 300)
    with pytest.raises(TooLarge):
        edited_header(HEADER, [AddHeader(b"A", b"x" * 200)], OWN)
    large = HEADER + b"B: " + b"x" * 300 + b"\r\n"
    assert len(edited_header(large, [ChangeHeader(1, b"subject", b"")], OWN)) < len(large)


def test_the_sender():
    assert changed_sender([DeleteRecipient("a@b")]) is None
    address, transaction, bad = changed_sender(
        [ChangeSender("a@b", "RET=FULL"), ChangeSender("c@d", "RET=HDRS ENVID=x SIZE=9 RET=NO")]
    )
    assert (address, transaction.ret, transaction.envid) == ("c@d", "HDRS", "x")
    assert bad == [
        'Ignoring bad ESMTP parameter "SIZE=9" in SMFI_CHGFROM request',
        'Ignoring bad ESMTP parameter "RET=NO" in SMFI_CHGFROM request',
    ]


def test_recipients():
    first, second = Recipient("target@x", "alias@x"), Recipient("u@x")
    kept, added, bad = changed_recipients(
        [first, second],
        [
            DeleteRecipient("alias@x"),
            AddRecipient("gone@x"),
            DeleteRecipient("gone@x"),
            ChangeSender("s@x"),
            AddRecipient("new@x", "NOTIFY=NEVER ORCPT=rfc822;o@x BAD=1"),
        ],
    )
    assert kept == [second]
    assert [(r.address, r.original, r.notify, r.orcpt) for r in added] == [
        ("new@x", "new@x", NEVER, "rfc822;o@x")
    ]
    assert bad == ['ignoring ESMTP argument from Milter or header/body_checks: "BAD=1"']


@given(st.integers(1, 60))
def test_contents(size):
    content = Text(HEADER + b"\r\nbody\r\n.\r\n")
    pieces = lambda: content.pieces(size)  # noqa: E731
    assert b"".join(body_of(content, HEADER)()) == b"body\r\n.\r\n"
    assert b"".join(edited_content(pieces(), HEADER, FilterOutcome())) == content.data
    changed = FilterOutcome(header=b"A: b\r\n")
    assert b"".join(edited_content(pieces(), HEADER, changed)) == b"A: b\r\n\r\nbody\r\n.\r\n"
    changed = FilterOutcome(body=(b"new\r\n", b"one\r\n"))
    assert b"".join(edited_content(pieces(), HEADER, changed)) == HEADER + b"\r\nnew\r\none\r\n"


def test_a_content_without_a_body():
    assert b"".join(body_of(Text(HEADER), HEADER)()) == b""
    outcome = FilterOutcome(body=(b"x\r\n",))
    assert b"".join(edited_content([HEADER], HEADER, outcome)) == HEADER + b"\r\nx\r\n"
