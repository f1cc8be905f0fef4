import pytest

from postroad.cli.sendmail_options import Options, UsageError, parse
from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS


def differences(args):
    """Return what the arguments change."""
    plain, options = Options(), parse(args)
    names = Options.__slots__
    return {n: getattr(options, n) for n in names if getattr(options, n) != getattr(plain, n)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("a@b c@d", {"recipients": ["a@b", "c@d"]}),
        ("-t", {"extract": True}),
        ("-t -i", {"extract": True, "dot_ends": False}),
        ("-ti a@b", {"extract": True, "dot_ends": False, "recipients": ["a@b"]}),
        ("-oi a@b", {"dot_ends": False, "recipients": ["a@b"]}),
        ("-o i a@b", {"dot_ends": False, "recipients": ["a@b"]}),
        ("-f x@y a@b", {"sender": "x@y", "recipients": ["a@b"]}),
        ("-fx@y a@b", {"sender": "x@y", "recipients": ["a@b"]}),
        ("-r x@y a@b", {"sender": "x@y", "recipients": ["a@b"]}),
        ("-tfx@y", {"extract": True, "sender": "x@y"}),
        ("-F Name", {"full_name": "Name"}),
        ("-N never", {"notify": NEVER}),
        ("-N success,DELAY", {"notify": SUCCESS | DELAY}),
        ("-Nfailure", {"notify": FAILURE}),
        ("-R hdrs", {"ret": "HDRS"}),
        ("-RFULL", {"ret": "FULL"}),
        ("-V envid", {"envid": "envid"}),
        ("-B 8BITMIME", {"eight_bit": True}),
        ("-B7bit", {}),
        ("-v", {"verbose": 1, "notify": SUCCESS | FAILURE | DELAY}),
        ("-v -N never", {"verbose": 1, "notify": NEVER}),
        ("-O smtputf8=yes", {"smtputf8": True}),
        ("-O SmtpUtf8", {"smtputf8": True}),
        ("-O smtputf8=no", {}),
        ("-O MaxHopCount=3", {}),
        ("-bm", {}),
        ("-bs", {"mode": "stdio"}),
        ("-bp", {"mode": "mailq"}),
        ("-bi", {"mode": "newaliases"}),
        ("-I", {"mode": "newaliases"}),
        ("-oA/etc/aliases -bi", {"mode": "newaliases", "alias_database": "/etc/aliases"}),
        ("-bd", {"mode": "daemon"}),
        ("-bv a@b", {"mode": "verify", "recipients": ["a@b"]}),
        ("-bh", {"mode": "nothing"}),
        ("-q", {"mode": "flush"}),
        ("-qI1983CB520EF3100", {"mode": "flush", "flush_id": "1983CB520EF3100"}),
        ("-qRexample.com", {"mode": "flush", "flush_site": "example.com"}),
        ("-q15m", {}),
        ("-Am -Ac -n -m -U -G -h 3 -L label -o7 -o8 -om -oee -X /log -p x -e m a@b", {"recipients": ["a@b"]}),
        ("-C /nonexistent/main.cf", {"directory": "/nonexistent"}),
        ("-C /tmp", {"directory": "/tmp"}),
        ("-- -x@y", {"recipients": ["-x@y"]}),
        ("a@b -- -x@y --", {"recipients": ["a@b", "-x@y", "--"]}),
    ],
)
def test_options_are_read(line, expected):
    assert differences(line.split()) == expected


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-Z"], "usage"),
        (["-f"], "usage"),
        (["-tZ"], "usage"),
        (["-bx"], "unsupported: -bx"),
        (["-b", ""], "unsupported"),
        (["-B", "binary"], "-B option needs 8BITMIME or 7BIT"),
        (["-qX"], "-qX is not implemented"),
        (["-qI"], "queue id"),
        (["-qR"], "site"),
        (["-oA"], "-oA requires pathname"),
        (["-XV"], "VERP"),
        (["-bs", "x"], "stand-alone mode requires no recipient"),
        (["-bp", "x"], "display queue mode requires no recipient"),
        (["-q", "x"], "flush queue mode requires no recipient"),
        (["-bp", "-t"], "-t can be used only in delivery mode"),
        (["a@b", "-t"], "hyphen"),
        (["a@b", "-OQueueDirectory=/tmp"], "hyphen"),
        (["-f", "x@y", "a@b", "-X/tmp/file"], "hyphen"),
    ],
)
def test_what_cannot_be_understood_is_refused(args, said):
    with pytest.raises(UsageError, match=said):
        parse(args)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-N", "bogus"], "bad -N option value -- ignored"),
        (["-N", "never,success"], "bad -N option value -- ignored"),
        (["-R", "half"], "bad -R option value -- ignored"),
        (["-V", ""], "bad syntax in -V option value -- ignored"),
        (["-V", "a\nb"], "bad syntax in -V option value -- ignored"),
        (["-V", "x" * 101], "bad syntax in -V option value -- ignored"),
    ],
)
def test_what_is_only_odd_is_warned_of(args, said):
    assert parse(args).warnings == [said]
    assert differences(args) == {"warnings": [said]}


@pytest.mark.parametrize("letter", "ABCFLNORVXbefhopr")
def test_an_empty_value_breaks_nothing(letter):
    try:
        parse([f"-{letter}", ""])
    except UsageError:
        assert letter in "Bb"
