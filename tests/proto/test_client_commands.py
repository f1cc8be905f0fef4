import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS, Message, Recipient
from postroad.proto.client_commands import (
    UnsendableAddress,
    mail_command,
    needs_smtputf8,
    rcpt_command,
    usual_envelope,
    wire,
)
from postroad.proto.client_features import parse_features

ALL = parse_features(b"250-x\n250-SIZE\n250-8BITMIME\n250-DSN\n250 SMTPUTF8")
NONE = parse_features(b"250 x")


def quoting(address):
    """Stand in for ``mail.address.to_external``."""
    local, _, domain = address.rpartition("@")
    return address if local.isalnum() or not address else f'"{local}"@{domain}'


@pytest.mark.parametrize(
    ("address", "sent"),
    [("", b""), ("a@b", b"a@b"), ("a b@c", b'"a b"@c'), ("ü@b", "ü@b".encode()), ("a@\udcff", b"a@\xff")],
)
def test_an_address_is_sent_in_its_external_form(address, sent):
    assert wire(address, quoting) == sent


@pytest.mark.parametrize("address", ["a\r@b", "a\n@b", "a\0@b", "a@b\r\nDATA"])
def test_an_address_that_would_end_the_line_is_refused(address):
    with pytest.raises(UnsendableAddress):
        wire(address, str)


@given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20))
def test_no_address_ends_the_line(address):
    command = rcpt_command(Recipient(address), ALL, str, smtputf8=True)
    assert command.endswith(b"\r\n")
    assert command.count(b"\r") == command.count(b"\n") == 1


def message(**attributes):
    made = Message(1, attributes.pop("sender", "a@b"), [], 0.0)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("attributes", "features", "command"),
    [
        ({}, NONE, b"MAIL FROM:<a@b>\r\n"),
        ({"sender": ""}, NONE, b"MAIL FROM:<>\r\n"),
        ({}, ALL, b"MAIL FROM:<a@b> SIZE=7\r\n"),
        ({"eight_bit": True}, ALL, b"MAIL FROM:<a@b> SIZE=7 BODY=8BITMIME\r\n"),
        ({"eight_bit": True}, NONE, b"MAIL FROM:<a@b>\r\n"),
        ({"envid": "x=1+2", "ret": "HDRS"}, ALL, b"MAIL FROM:<a@b> SIZE=7 ENVID=x+3D1+2B2 RET=HDRS\r\n"),
        ({"envid": "x", "ret": "HDRS"}, NONE, b"MAIL FROM:<a@b>\r\n"),
    ],
)
def test_mail_has_the_parameters_that_the_server_knows(attributes, features, command):
    assert mail_command(message(**attributes), features, 7, str, smtputf8=False) == command


def test_smtputf8_is_asked_for_where_it_is_offered():
    assert mail_command(message(), ALL, 0, str, smtputf8=True) == b"MAIL FROM:<a@b> SMTPUTF8\r\n"
    assert mail_command(message(), NONE, 0, str, smtputf8=True) == b"MAIL FROM:<a@b>\r\n"


@pytest.mark.parametrize(
    ("recipient", "command"),
    [
        (Recipient("a@b"), b"RCPT TO:<a@b> ORCPT=rfc822;a@b\r\n"),
        (Recipient("a@b", "o=p@q"), b"RCPT TO:<a@b> ORCPT=rfc822;o+3Dp@q\r\n"),
        (Recipient("a@b", "c@d", NEVER), b"RCPT TO:<a@b> ORCPT=rfc822;c@d NOTIFY=NEVER\r\n"),
        (
            Recipient("a@b", "c@d", SUCCESS | FAILURE | DELAY, "rfc822;e+x@f"),
            b"RCPT TO:<a@b> ORCPT=rfc822;e+2Bx@f NOTIFY=SUCCESS,FAILURE,DELAY\r\n",
        ),
        (Recipient("a@b", orcpt="utf-8;ü=@f"), b"RCPT TO:<a@b> ORCPT=utf-8;\\x{FC}\\x{3D}@f\r\n"),
        (Recipient("a@b", orcpt="utf-8;\r\n"), b"RCPT TO:<a@b> ORCPT=utf-8;\\x{0D}\\x{0A}\r\n"),
        (Recipient("a@b", orcpt="x400;\r\n"), b"RCPT TO:<a@b> ORCPT=x400;+0D+0A\r\n"),
    ],
)
def test_rcpt_carries_what_notices_need(recipient, command):
    assert rcpt_command(recipient, ALL, str, smtputf8=False) == command
    assert rcpt_command(recipient, NONE, str, smtputf8=False) == b"RCPT TO:<a@b>\r\n"


def test_a_utf8_original_is_raw_where_utf8_may_be():
    assert (
        rcpt_command(Recipient("ü@b"), ALL, str, smtputf8=True)
        == "RCPT TO:<ü@b> ORCPT=utf-8;ü@b\r\n".encode()
    )


def test_smtputf8_is_needed_for_any_address_beyond_ascii():
    assert needs_smtputf8(message(sender="ü@b"), [])
    assert needs_smtputf8(message(), [Recipient("a@b"), Recipient("ü@b")])
    assert not needs_smtputf8(message(), [Recipient("a@b")])


@given(st.text("aB1.+=-_@\\ ü", min_size=1, max_size=12))
def test_orcpt_is_the_same_whether_the_client_gave_it_or_not(address):
    given_by_client = Recipient(
        address, orcpt=f"rfc822;{address}" if address.isascii() else f"utf-8;{address}"
    )
    own = rcpt_command(Recipient(address), ALL, str, smtputf8=True)
    assert own == rcpt_command(given_by_client, ALL, str, smtputf8=True)


address = st.sampled_from(["", "a@b.example", "a.b@c", "a b@c", "a+b@c", "ü@b", "a@b\r", "a@b "])
limits = st.sampled_from(
    ["250 x", "250-x\n250 SIZE 100", "250-x\n250-SIZE\n250-8BITMIME\n250-DSN\n250 SMTPUTF8"]
)


@given(address, address, address, st.sampled_from([0, 8, SUCCESS]), st.sampled_from(["", "rfc822;x@y"]),
       st.booleans(), st.booleans(), st.sampled_from(["", "id"]), st.sampled_from([0, 100, 101]), limits)  # fmt: skip
def test_the_usual_envelope_is_what_the_commands_are(sender, to, original, notify, orcpt, eight_bit, utf8, envid, size, lines):  # fmt: skip
    features = parse_features(lines.encode())
    recipient = Recipient(to, original, notify, orcpt)
    message = Message(1, sender, [recipient], 0.0)
    message.eight_bit, message.smtputf8, message.envid = eight_bit, utf8, envid
    usual = usual_envelope(message, [recipient], size, features)
    if usual:
        mail = mail_command(message, features, size, quoting, smtputf8=False)
        assert usual == mail + rcpt_command(recipient, features, quoting, smtputf8=False) + b"DATA\r\n"
        assert features.size_limit == 0 or size <= features.size_limit
        assert features.eight_bit or not eight_bit


def test_most_envelopes_are_usual_and_what_is_special_is_not():
    recipient = Recipient("r@x.example")
    message = Message(1, "s@x.example", [recipient], 0.0)
    sent = b"MAIL FROM:<s@x.example> SIZE=9\r\nRCPT TO:<r@x.example> ORCPT=rfc822;r@x.example\r\nDATA\r\n"
    assert usual_envelope(message, [recipient], 9, ALL) == sent
    assert not usual_envelope(message, [recipient, recipient], 9, ALL)
    message.sender = ""
    assert (
        usual_envelope(message, [recipient], 9, NONE) == b"MAIL FROM:<>\r\nRCPT TO:<r@x.example>\r\nDATA\r\n"
    )
    message.smtputf8 = True
    assert not usual_envelope(message, [recipient], 9, ALL)
