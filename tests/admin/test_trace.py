import pytest

from postroad.admin.trace import Wanted, log_lines, refusal_lines, refusals_of, unsaid

RECORD = {
    "time": 1_700_000_000.5,
    "queue_id": "NOQUEUE",
    "service": "smtp",
    "command": "RCPT",
    "client_address": "192.0.2.1",
    "client_name": "c.test",
    "helo": "h.test",
    "sender": "A@x.test",
    "recipient": "b@here.test",
    "login": "",
    "reply": "554 5.7.1 no",
    "trail": {
        "path": [["list", 2, "check_x t:y"]],
        "table": "t:y",
        "key": "k",
        "value": "REJECT",
        "error": "",
    },
    "behind": None,
}
LOG = """\
Nov 29 23:20:48 mx postfix/smtpd[7]: connect from c.test[192.0.2.1]
Nov 29 23:20:48 mx postfix/smtpd[7]: NOQUEUE: reject: RCPT from c.test[192.0.2.1]: 554 5.7.1 no; from=<A@x.test> to=<b@here.test>
Nov 29 23:20:49 mx postfix/smtpd[7]: 0123456789ABCDE: client=c.test[192.0.2.1]
Nov 29 23:20:49 mx postfix/cleanup[7]: 0123456789ABCDE: message-id=<one@x.test>
Nov 29 23:20:49 mx postfix/qmgr[7]: 0123456789ABCDE: from=<a@x.test>, size=1, nrcpt=1 (queue active)
Nov 29 23:20:50 mx postfix/smtp[7]: 0123456789ABCDE: to=<eve@far.test>, orig_to=<info@here.test>, status=sent
Nov 29 23:20:50 mx postfix/qmgr[7]: 0123456789ABCDE: removed
Nov 29 23:20:51 mx postfix/smtpd[7]: FFFFFFFFFFFFFFF: client=d.test[192.0.2.2]
Nov 29 23:20:51 mx postfix/qmgr[7]: FFFFFFFFFFFFFFF: from=<z@x.test>, size=1
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.write_text(LOG)
    return path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("192.0.2.1", "client"),
        ("2001:db8::1", "client"),
        ("b@here.test", "address"),
        ("<b@here.test>", "message id"),
        ("0123456789ABCDE", "queue id"),
        ("4X2bQF3Z9zPqRs", "queue id"),
        ("c.test", "host"),
        ("localhost", "host"),
    ],
)
def test_words_are_told_apart(text, kind):
    assert Wanted.read(text).kind == kind


@pytest.mark.parametrize("text", ["", "?", "12"])
def test_what_is_none_of_them_is_said(text):
    with pytest.raises(ValueError, match="neither"):
        Wanted.read(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", True), ("192.0.2.2", False), ("a@x.test", True), ("<b@here.test>", True), ("b@here.tes", False),
        ("c.test", True), ("h.test", True), ("x.test", False), ("NOQUEUE", False), ("0123456789ABCDE", False),
    ],
)  # fmt: skip
def test_refusals_are_found_by_who_had_to_do_with_them(text, found):
    assert list(refusals_of([RECORD], Wanted.read(text))) == [RECORD] * found


@pytest.mark.parametrize("text", ["info@here.test", "EVE@far.test", "<one@x.test>", "0123456789ABCDE"])
def test_all_lines_of_a_message_are_found_by_any_part_of_it(log, text):
    assert log_lines(log, Wanted.read(text), 10) == LOG.splitlines()[2:7]


def test_a_client_has_its_sessions_and_its_messages(log):
    assert log_lines(log, Wanted.read("192.0.2.1"), 10) == LOG.splitlines()[:7]
    assert log_lines(log, Wanted.read("D.test"), 10) == LOG.splitlines()[7:]


def test_only_the_newest_messages_are_shown(log):
    lines = log_lines(log, Wanted.read("test"), 10)
    assert lines == []
    log.write_text(LOG.replace("192.0.2.2", "192.0.2.1"))
    assert all("0123456789ABCDE" not in line for line in log_lines(log, Wanted.read("192.0.2.1"), 1))


def test_a_refusal_in_words():
    lines = list(refusal_lines(RECORD))
    assert lines[0].endswith(" refused for good: 554 5.7.1 no")
    assert lines[1:] == [
        "  client c.test[192.0.2.1], HELO h.test, service smtp, at RCPT",
        "  from <A@x.test> to <b@here.test>",
        "  decided by list 2: check_x t:y (k -> REJECT)",
    ]
    behind = {"path": [["list", 1, "defer_if_reject"]]}
    more = {
        "reply": "450 4.7.1 later",
        "sender": None,
        "recipient": "",
        "trail": None,
        "behind": behind,
        "login": "eva",
    }
    lines = list(refusal_lines(RECORD | more))
    assert "put off: 450 4.7.1 later" in lines[0]
    assert "logged in as eva" in lines[1]
    assert lines[2] == "  decided by no restriction: the server itself says so"
    assert lines[3].endswith("because of list 1: defer_if_reject")


def test_the_log_does_not_repeat_what_the_records_say():
    lines = LOG.splitlines()
    assert unsaid(lines, [RECORD]) == [line for line in lines if ": reject: " not in line]
    assert unsaid(lines, []) == lines
