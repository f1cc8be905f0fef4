from __future__ import annotations

from postroad.model.message import Message
from postroad.proto.client_xforward import introduction

ALL = ("NAME", "ADDR", "PROTO", "HELO", "SOURCE", "PORT", "IDENT")
CLIENT = {
    "log_client_name": "client.example",
    "log_client_address": "2001:db8::5",
    "log_client_port": "55",
    "log_helo_name": "h+x",
    "log_protocol_name": "ESMTP",
}


def told(attributes, known=ALL):
    message = Message(0xAB, "a@x", [], 0.0)
    message.attributes = attributes
    return introduction(message, known)


def test_all_that_is_known_goes_in_two_commands():
    assert told(CLIENT) == [
        b"XFORWARD NAME=client.example ADDR=IPv6:2001:db8::5 PORT=55\r\n",
        b"XFORWARD PROTO=ESMTP HELO=h+2Bx IDENT=0000000000000AB SOURCE=REMOTE\r\n",
    ]


def test_what_another_host_has_told_goes_on():
    second = told(CLIENT | {"log_ident": "4XYZ", "rewrite_context": "local"})[1]
    assert second == b"XFORWARD PROTO=ESMTP HELO=h+2Bx IDENT=4XYZ SOURCE=LOCAL\r\n"


def test_unknown_values_and_attributes_are_left_out():
    assert told(CLIENT | {"log_client_name": "unknown", "log_helo_name": ""}, ("NAME", "HELO", "PROTO")) == [
        b"XFORWARD PROTO=ESMTP\r\n"
    ]
    assert told(CLIENT, ()) == []


def test_mail_that_came_without_smtp_has_only_a_source():
    assert told({}) == [b"XFORWARD SOURCE=LOCAL\r\n"]


def test_no_value_ends_the_command_early():
    assert told(CLIENT | {"log_helo_name": "a b\r\nMAIL"}, ("HELO",)) == [
        b"XFORWARD HELO=a+20b+0D+0AMAIL\r\n"
    ]
