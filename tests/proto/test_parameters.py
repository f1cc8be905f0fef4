from __future__ import annotations

import pytest

from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS
from postroad.model.reply import Reply
from postroad.model.session import Transaction
from postroad.proto.parameters import read_mail, read_recipient


def mail(*words, discards=(), smtputf8=True):
    transaction = Transaction()
    reply = read_mail(words, transaction, discards, smtputf8=smtputf8)
    return transaction if reply is None else reply.line()


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("SIZE=0", "size", 0),
        ("size=000000000000000000000000010", "size", 10),
        ("SIZE=9223372036854775807", "size", 9223372036854775807),
        ("BODY=8bitmime", "eight_bit", True),
        ("body=7BIT", "eight_bit", False),
        ("smtputf8", "smtputf8", True),
        ("RET=full", "ret", "FULL"),
        ("ENVID=a+2Bb", "envid", "a+b"),
        ("ENVID=a=b", "envid", "a=b"),
        ("AUTH=<>", "auth", ""),
    ],
)
def test_what_is_well_formed_is_noted(word, field, value):
    assert getattr(mail(word), field) == value


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (["SIZE="], "501 5.5.4 Bad message size syntax"),
        (["SIZE=-1"], "501 5.5.4 Bad message size syntax"),
        (["SIZE=\u0663"], "501 5.5.4 Bad message size syntax"),
        (["SIZE"], "555 5.5.4 Unsupported option: SIZE"),
        (["SIZE=9223372036854775808"], "552 5.3.4 Message size exceeds file system imposed limit"),
        (["SIZE=" + "9" * 2000], "552 5.3.4 Message size exceeds file system imposed limit"),
        (["BODY=BINARYMIME"], "555 5.5.4 Unsupported option: BODY=BINARYMIME"),
        (["BODY"], "555 5.5.4 Unsupported option: BODY"),
        (["SMTPUTF8=yes"], "555 5.5.4 Unsupported option: SMTPUTF8=yes"),
        (["RET=BODY"], "501 5.5.4 Bad RET parameter syntax"),
        (["RET=FULL", "RET=HDRS"], "501 5.5.4 Bad RET parameter syntax"),
        (["ENVID="], "501 5.5.4 Bad ENVID parameter syntax"),
        (["ENVID=a+2"], "501 5.5.4 Bad ENVID parameter syntax"),
        (["ENVID=a+00"], "501 5.5.4 Bad ENVID parameter syntax"),
        (["ENVID=a+0D+0Ab"], "501 5.5.4 Bad ENVID parameter syntax"),
        (["ENVID=\u00e4"], "501 5.5.4 Bad ENVID parameter syntax"),
        (["ENVID=a", "ENVID=b"], "501 5.5.4 Bad ENVID parameter syntax"),
        (["FOO=BAR"], "555 5.5.4 Unsupported option: FOO=BAR"),
    ],
)
def test_what_is_not_is_refused_in_postfix_words(words, reply):
    assert mail(*words) == reply


def test_what_is_not_offered_is_not_known():
    assert mail("SMTPUTF8", smtputf8=False) == "555 5.5.4 Unsupported option: SMTPUTF8"
    assert mail("RET=FULL", discards={"dsn"}) == "501 5.7.1 DSN support is disabled"


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        ("NEVER", NEVER),
        ("never,never", NEVER),
        ("SUCCESS,FAILURE,DELAY", SUCCESS | FAILURE | DELAY),
        ("SUCCESS,", SUCCESS),
    ],
)
def test_notify_becomes_bits(value, bits):
    assert read_recipient([f"NOTIFY={value}"], ()) == (bits, "")


@pytest.mark.parametrize(
    "words", [["NOTIFY="], ["NOTIFY=,"], ["NOTIFY=SUCCESS,NEVER"], ["NOTIFY=X"], ["NOTIFY=DELAY"] * 2]
)
def test_a_bad_notify_is_refused(words):
    reply = read_recipient(words, ())
    assert isinstance(reply, Reply)
    assert reply.line() == "501 5.5.4 Error: Bad NOTIFY parameter syntax"


@pytest.mark.parametrize(
    ("value", "original"),
    [
        ("rfc822;al+40x", "rfc822;al@x"),
        ("rfc822;", "rfc822;"),
        ("x400;C=US", "x400;C=US"),
        ("utf-8;a\\x{E4}b", "utf-8;a\u00e4b"),
        ("utf-8;a+40", "utf-8;a+40"),
    ],
)
def test_orcpt_is_decoded(value, original):
    assert read_recipient([f"ORCPT={value}"], ()) == (0, original)


@pytest.mark.parametrize(
    "value",
    [
        "alice@example.test",
        ";x",
        "rfc822;a+4",
        "rfc822;a+00",
        "rfc822;a+0D+0Ab",
        "utf-8;\\x{0}",
        "utf-8;\\x{D800}",
        "utf-8;\\x{FFFFFF}",
    ],
)
def test_a_bad_orcpt_is_refused(value):
    reply = read_recipient([f"ORCPT={value}"], ())
    assert isinstance(reply, Reply)
    assert reply.line() == "501 5.5.4 Error: Bad ORCPT parameter syntax"


def test_a_second_orcpt_is_refused():
    assert isinstance(read_recipient(["ORCPT=rfc822;a", "ORCPT=rfc822;b"], ()), Reply)
