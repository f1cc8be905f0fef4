from __future__ import annotations

from postroad.proto.escape import escaped


def test_what_cannot_be_printed_is_escaped_as_in_c():
    assert escaped(b"EHLO x\r\n") == "EHLO x\\r\\n"
    assert escaped(b'\x01\xff"\\b\t\x7f') == '\\001\\377"\\\\b\\t\\177'
