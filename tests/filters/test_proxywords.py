import pytest

from postroad.filters.proxywords import UNAVAILABLE, mail_line, rcpt_line, reply_of
from postroad.model.message import FAILURE, SUCCESS, Recipient
from postroad.model.session import Transaction
from postroad.proto.replies import ServerReply

GENERIC = UNAVAILABLE.line()


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"250 2.0.0 Ok", "250 2.0.0 Ok"),
        (b"250 Ok", "250 Ok"),
        (b"550 4.1.1 contradicts", "550 4.1.1 contradicts"),
        (b"550 5.7.1 a\x07b\xff", "550 5.7.1 a?b?"),
        (b"550", "550 "),
        (b"421 4.3.2 bye", "421 4.3.2 bye"),
        (b"354 go", GENERIC),
        (b"199 what", GENERIC),
    ],
)
def test_only_a_yes_or_a_no_is_handed_on(raw, line):
    assert reply_of(ServerReply(int(raw[:3]), raw)).line() == line


def test_commands():
    transaction = Transaction(sender="ä b@x", smtputf8=True, auth="a+20b")
    assert mail_line(transaction) == 'MAIL FROM:<"ä b"@x> SMTPUTF8 AUTH=a+20b\r\n'.encode()
    assert mail_line(Transaction(sender="")) == b"MAIL FROM:<>\r\n"
    assert mail_line(Transaction(sender="a\r\nQUIT@x")) == b""
    assert (
        rcpt_line(Recipient("a@x", notify=SUCCESS | FAILURE)) == b"RCPT TO:<a@x> NOTIFY=SUCCESS,FAILURE\r\n"
    )
    assert rcpt_line(Recipient("a\nb@x")) == b""
    assert (
        rcpt_line(Recipient("ä@x", orcpt="utf-8;ä@x"), smtputf8=True)
        == "RCPT TO:<ä@x> ORCPT=utf-8;ä@x\r\n".encode()
    )
