import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.header import block_end
from postroad.mail.header_address import Sort, addresses, parse, recipients_of, render


def completed(name, text):
    parts = parse(text)
    for part in parts:
        if part.sort is Sort.ADDRESS and "@" not in part.text:
            part.text += "@O"
    return render(name, parts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root <root>", "root <root@O>"),
        ('"a\\"b" <c>, "d e", f.g (c1 (c2))', '"a\\"b" <c@O>, "d e"@O, f.g@O (c1 (c2))'),
        ("h:i;, ;j, undisclosed-recipients:;", "h: i@O;, ;, j@O, undisclosed-recipients: ;"),
        ("a (x) b (y) <c> (z), <d> e <f>", "a (x) b (y) <c@O>(z), <d@O>e <f@O>"),
        ('a@b@c, \\d@e, x"y"z@f, [1.2]@g', '"a@b"@c, d@e, x@O, y@O, z@f, "[1.2]"@g'),
        ("<b>\r\n (folded) , c", "<b@O>(folded), c@O"),
        ("a,,b, ,c,", "a@O, , b@O, , c@O, "),
        (",a", ", a@O"),
        ("a b c", "a@O, b@O, c@O"),
        ("<a@b> foo, (only comment), <unclosed@x", '<a@b>, foo@O, (only comment), "<unclosed"@x'),
        ("a@b c@d", "a@b, c@d"),
        ("J. B. Goode <j>", "J.B.Goode <j@O>"),
        ('a b.c\t<x>, "q\tr\r\n s" <y>, (c\r\n d) z, d;', 'a b.c <x@O>, "q r  s" <y@O>, z@O (c  d), d@O;'),
        ("x@[1.2\r\n .3] , s", "x@[1.2  .3], s@O"),
        ("<s t@u>, a", "<st@u>, a@O"),
        ("a:b, c, d:e;f", "a: b@O, c@O, d: e@O;, f@O"),
        ("<a<b>c>, d", '<a <"b>c"@O>, d@O'),
        ('"unclosed, d <e>', '"unclosed, d <e>"@O'),
        ("b ,[u", 'b@O, "[u]"@O'),
        ("a\\", "a@O"),
        ("(unclosed", "(unclosed"),
        ("<>", "<>"),
        ("", ""),
    ],
)
def test_addresses_are_found_and_everything_else_is_kept(text, expected):
    assert completed("X", text).replace("\r\n\t", " ") == f"X: {expected}"


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("a@b@c", True),
        (".a@c", True),
        ('"al"@c', True),
        ('"a@b"@c', False),
        ("a\\@b@c", False),
        ("a.b@[1.2]", False),
        ("<a b@c>", False),
        ('""', False),
    ],
)
def test_quotes_that_are_missing_or_in_vain_are_told(text, odd):
    assert [part.odd for part in parse(text) if part.sort is Sort.ADDRESS] == [odd]


def test_long_lists_are_folded_as_postfix_folds_them():
    text = ",".join(f"user{i}@mx.example.test" for i in range(9))
    assert render("Cc", parse(text)) == (
        "Cc: user0@mx.example.test, user1@mx.example.test,\r\n"
        "\tuser2@mx.example.test, user3@mx.example.test, user4@mx.example.test,\r\n"
        "\tuser5@mx.example.test, user6@mx.example.test, user7@mx.example.test,\r\n"
        "\tuser8@mx.example.test"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b, Al <c@d> (x), grp: e, f;", ["a@b", "c@d", "e", "f"]),
        ('"a b"@c', ["a b@c"]),
        ("u@[127.0.0.1]", ["u@[127.0.0.1]"]),
        ("", []),
        ("<>", []),
    ],
)
def test_addresses_are_given_in_internal_form(text, expected):
    assert addresses(text) == expected


def test_recipients_come_from_to_cc_and_bcc():
    block = b"To: a@x\r\nFrom: f@x\r\nCc: b@x,\r\n c@x\r\nBCC : d@x\r\nReply-To: r@x\r\n"
    assert recipients_of(block) == ["a@x", "b@x", "c@x", "d@x"]


def test_recipients_of_a_message_sent_again_come_from_the_resent_fields_alone():
    assert recipients_of(b"To: a@x\r\nResent-To: b@x\r\nResent-Bcc: c@x\r\n") == ["b@x", "c@x"]
    assert recipients_of(b"To: a@x\r\nResent-From: b@x\r\n") == []


def test_the_limit_leaves_the_rest_out():
    assert addresses("a@b, c@d, e@f", limit=5) == ["a@b", "c"]


@given(st.text(st.sampled_from(' \t"\\()<>@,;:.[]ab!%|é\r\n')))
def test_a_rewritten_field_stays_one_field_whatever_it_held(text):
    data = (completed("X", text) + "\r\n").encode()
    assert block_end(data) == len(data)
    rest = data.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest


@pytest.mark.parametrize("piece", ["a@b,", "(", '"', "<", "[", "\\", "a <b> ", ":;", "a ", "(("])
def test_hostile_lists_take_no_more_time_than_their_length(piece):
    begun = time.process_time()
    for _ in range(3):
        render("X", parse(piece * 30000))
    assert time.process_time() - begun < 5
