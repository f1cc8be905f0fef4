from __future__ import annotations

import time

import pytest

from postroad.base.censor import Censor
from postroad.base.clock import TestClock
from postroad.model.client import Client
from postroad.model.message import Recipient
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.smtpd.footer import Footer, Footers
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps

CLIENT = Client("192.0.2.1", 4711)
PLAIN = " :.abcdefghijklmnopqrstuvwxyzN0123456789"
REPLY = Reply(550, "5.1.1", "<a@b>: no")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("\\c. Call us", "<a@b>: no. Call us"),
        ("Call us", "<a@b>: no\nCall us"),
        ("one\\ntwo", "<a@b>: no\none\ntwo"),
        ("\\c; $client_address:$client_port", "<a@b>: no; 192.0.2.1:4711"),
        ("\\c; ${server_name} $(server_name)", "<a@b>: no; mx.example.test mx.example.test"),
        ("\\c at $localtime", "<a@b>: no at Nov 09 22:13:20"),
        ("\\c for ${client_name?{you}:{it}}", "<a@b>: no for it"),
        ("\\c $$5", "<a@b>: no $5"),
        ("\\c\r\n\t\u00e4", "<a@b>: no__\t\u00e4"),
        ("\\c ${", "<a@b>: no"),
    ],
)
def test_the_text_follows_with_its_names_filled_in(template, text):
    clock = TestClock(time.mktime((2026, 11, 9, 22, 13, 20, 0, 0, -1)))
    footer = Footer(template, "mx.example.test", clock, Censor(PLAIN), [].append)
    reply = footer.add(REPLY, CLIENT)
    assert (reply.code, reply.status, reply.text) == (550, "5.1.1", text)


def test_of_a_session_it_may_say_who_writes_to_whom():
    session = Session(Client("192.0.2.1", 4711, name="mail.example.net"), helo="y.example.net")
    session.transaction.sender = "a@example.net"
    template = "\\c|$client_name|$helo_name|$sender|$recipient|$recipient_domain"

    def said():
        footer = Footer(template, "mx", TestClock(), Censor(f"{PLAIN}@|"), [].append)
        return footer.add(REPLY, session.client, session).text

    assert said() == "<a@b>: no|mail.example.net|y.example.net|a@example.net||"
    session.transaction.recipients += [Recipient("b@here.test"), Recipient("c@other.test")]
    assert said() == "<a@b>: no|mail.example.net|y.example.net|a@example.net|b@here.test|here.test"


def test_each_line_has_the_code():
    footer = Footer("a\\nb", "mx", TestClock(), Censor(""), [].append)
    assert bytes(footer.add(REPLY, CLIENT)).split(b"\r\n") == [
        b"550-5.1.1 <a@b>: no",
        b"550-5.1.1 a",
        b"550 5.1.1 b",
        b"",
    ]


def test_names_bring_in_what_the_filter_allows_and_the_text_is_as_it_stands():
    footer = Footer("\\c: $client_address, $server_name", "m$x", TestClock(), Censor("123$"), [].append)
    assert footer.add(REPLY, CLIENT).text == "<a@b>: no: 1_2___2_1, _$_"


@pytest.mark.parametrize(
    ("template", "warning"),
    [
        ("bad ${", 'truncated macro reference: "bad ${"'),
        ("of $recipient", 'unknown macro name "recipient" in expansion request'),
    ],
)
def test_what_is_wrong_with_a_template_is_said(template, warning):
    said = []
    Footer(template, "mx", TestClock(), Censor(""), said.append).add(REPLY, CLIENT)
    assert said == [warning]


def test_a_table_has_a_footer_for_a_whole_reply():
    said = []

    def footers(spec, template):
        def make(text):
            return Footer(text, "mx", TestClock(), Censor(""), said.append)

        return Footers(
            "footer_maps", Maps([spec] if spec else [], TableContext()), template, make, said.append
        )

    table = "inline:{{550 5.1.1 <a@b>: no = of a table}}"
    assert footers(table, "general").add(REPLY, CLIENT).text.endswith("\nof a table")
    assert footers(table, "general").add(Reply(550, "", "x"), CLIENT).text == "x\ngeneral"
    assert footers(table, "").add(Reply(550, "", "x"), CLIENT).text == "x"
    assert [bool(footers(*each)) for each in ((table, ""), ("", "x"), ("", ""))] == [True, True, False]
    assert said == []
    assert footers("fail:down", "general").add(REPLY, CLIENT).text.endswith("\ngeneral")
    assert "footer_maps lookup error" in said[0]
    with pytest.raises(ValueError, match="footer_maps: only tables"):
        footers("unionmap:{static:x}", "")
