from __future__ import annotations

import pytest

from postroad.base.clock import TestClock
from postroad.model.client import Client
from postroad.model.reply import Reply
from postroad.smtpd.footer import Footer

REPLY = Reply(550, "5.1.1", "<a@b>: no")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("\\c. Call us", "<a@b>: no. Call us"),
        ("Call us", "<a@b>: no\nCall us"),
        ("one\\ntwo", "<a@b>: no\none\ntwo"),
        ("\\c; $client_address:$client_port", "<a@b>: no; 192.0.2.1:4711"),
        ("\\c; ${server_name} $(server_name)", "<a@b>: no; mx.example.test mx.example.test"),
        ("\\c at $localtime", "<a@b>: no at then"),
        ("\\c for $recipient$", "<a@b>: no for $"),
        ("\\c $$5", "<a@b>: no $5"),
        ("\\c\r\u00e4", "<a@b>: no__"),
    ],
)
def test_the_text_follows_with_its_names_filled_in(template, text):
    footer = Footer(template, "mx.example.test", TestClock(), lambda now: "then")
    reply = footer.add(REPLY, Client("192.0.2.1", 4711))
    assert (reply.code, reply.status, reply.text) == (550, "5.1.1", text)


def test_each_line_has_the_code():
    footer = Footer("a\\nb", "mx", TestClock(), str)
    assert bytes(footer.add(REPLY, Client("192.0.2.1"))).split(b"\r\n") == [
        b"550-5.1.1 <a@b>: no",
        b"550-5.1.1 a",
        b"550 5.1.1 b",
        b"",
    ]
