import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.downgrade import Downgrade


def converted(text, cuts=()):
    data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
    pieces, start = [], 0
    for cut in [*sorted(c for c in cuts if c < len(data)), len(data)]:
        pieces.append(data[start:cut])
        start = cut
    return b"".join(Downgrade().convert(pieces))


def lines(text):
    return converted(text).decode().replace("\r\n", "\n")


LEAF = """\
Subject: x
Content-Type: text/plain; charset=utf-8
content-transfer-encoding: 8BIT (yes)

grüße = 1
"""
MIXED = """\
MIME-Version: 1.0
Content-Type: multipart/mixed;
\tboundary="a b"
Content-Transfer-Encoding: 8bit

preamble ü
--a b
Content-Type: text/plain
Content-Transfer-Encoding: 8bit

ü
--a b
Content-Transfer-Encoding: base64

w7w=
--a b
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

Subject: inner
Content-Transfer-Encoding: binary

ö
--a b--
epilogue ü
"""


def test_an_8bit_leaf_becomes_quoted_printable():
    assert lines(LEAF) == (
        "Subject: x\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\ngr=C3=BC=C3=9Fe =3D 1\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Subject: ü\n\nno MIME header ü\n",
        "Content-Transfer-Encoding: 7bit\n\nabc = \n",
        "Content-Transfer-Encoding: base64\n\nw7w=\n",
        "\n\n",
        "no header at all\n",
        "",
        "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nbody = ü\n--x--\n",
    ],
)
def test_what_says_nothing_of_8bit_stays_as_it_is(text):
    assert lines(text) == text


def test_each_part_of_a_multipart_is_treated_by_itself():
    assert lines(MIXED) == MIXED.replace(
        '"a b"\nContent-Transfer-Encoding: 8bit', '"a b"\nContent-Transfer-Encoding: 7bit'
    ).replace(
        "text/plain\nContent-Transfer-Encoding: 8bit\n\nü",
        "text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC",
    ).replace("rfc822\nContent-Transfer-Encoding: 8bit", "rfc822\nContent-Transfer-Encoding: 7bit").replace(
        "Content-Transfer-Encoding: binary\n\nö", "Content-Transfer-Encoding: quoted-printable\n\n=C3=B6"
    )


def test_parts_of_a_digest_are_messages():
    text = (
        "Content-Type: multipart/digest; boundary=d\n\n--d\n\nContent-Transfer-Encoding: 8bit\n\nü\n--d--\n"
    )
    assert "quoted-printable\n\n=C3=BC\n" in lines(text)


@given(st.lists(st.integers(0, 700)))
def test_how_the_pieces_are_cut_never_matters(cuts):
    for text in (LEAF, MIXED):
        whole = converted(text)
        data_cuts = [c for c in cuts if c < len(whole)]
        assert converted(text, data_cuts) == whole


@given(st.binary(max_size=300))
def test_a_body_can_be_decoded_to_what_it_was(body):
    body = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    out = converted(b"Content-Transfer-Encoding: 8bit\r\n\r\n" + body)
    encoded = out.partition(b"\r\n\r\n")[2]
    assert encoded.isascii()
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert quopri.decodestring(encoded) == body


def test_a_line_without_end_is_converted_in_pieces():
    body = b"\xfc" * 300_000
    cuts = range(0, 300_000, 1000)
    out = converted(b"Content-Transfer-Encoding: 8bit\r\n\r\n" + body, cuts)
    assert quopri.decodestring(out.partition(b"\r\n\r\n")[2]) == body + b"\r\n"


def test_a_header_that_never_ends_is_passed_on_as_it_is():
    data = b"Content-Transfer-Encoding: 8bit\r\n" + b"X: y\r\n" * 90_000 + b"\r\n\xfc\r\n"
    assert converted(data) == data


def test_endless_nesting_ends_somewhere():
    data = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2000)
    )
    downgrade = Downgrade()
    assert downgrade.feed(data) + downgrade.finish() == data
    assert len(downgrade._boundaries) <= 100
