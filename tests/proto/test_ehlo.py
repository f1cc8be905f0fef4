from __future__ import annotations

import pytest

from postroad.proto.ehlo import KEYWORDS, announce, discards


def lines(**options):
    values = {"without": frozenset(), "size_limit": 100, "smtputf8": True, "vrfy": True} | options
    return announce("mx", values.pop("without"), **values).decode().split("\r\n")[:-1]


def test_all_keywords_stand_in_postfix_order():
    assert lines(starttls=True, auth="PLAIN LOGIN", xclient=True, xforward=True) == [
        "250-mx",
        "250-PIPELINING",
        "250-SIZE 100",
        "250-VRFY",
        "250-ETRN",
        "250-STARTTLS",
        "250-AUTH PLAIN LOGIN",
        "250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT",
        "250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT",
        "250-ENHANCEDSTATUSCODES",
        "250-8BITMIME",
        "250-DSN",
        "250-SMTPUTF8",
        "250 CHUNKING",
    ]


def test_what_is_switched_off_or_discarded_is_left_out():
    assert lines(without=discards(["DSN", "etrn", "Chunking", "pipelining"]), smtputf8=False, vrfy=False) == [
        "250-mx",
        "250-SIZE 100",
        "250-ENHANCEDSTATUSCODES",
        "250 8BITMIME",
    ]


def test_without_keywords_one_line_remains():
    everything = discards(KEYWORDS)
    assert lines(without=everything) == ["250 mx"]


def test_no_limit_is_announced_without_a_number():
    assert "250-SIZE" in lines(size_limit=0)


def test_an_unknown_keyword_is_named():
    with pytest.raises(ValueError, match="'dns'"):
        discards(["dsn", "dns"])


def test_auth_is_offered_twice_where_that_is_wanted():
    said = lines(auth="PLAIN LOGIN", twice=True)
    assert said[said.index("250-AUTH PLAIN LOGIN") + 1] == "250-AUTH=PLAIN LOGIN"
    assert "AUTH=" not in "".join(lines(twice=True))
    assert "AUTH" not in "".join(lines(auth="PLAIN", twice=True, without=frozenset({"auth"})))
