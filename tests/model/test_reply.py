import pytest

from postroad.model.reply import Reply


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply(250, "2.0.0", "Ok"), b"250 2.0.0 Ok\r\n"),
        (Reply(354, "", "End data"), b"354 End data\r\n"),
        (Reply(250, "", "mx\nSIZE\nHELP"), b"250-mx\r\n250-SIZE\r\n250 HELP\r\n"),
        (Reply(550, "5.1.1", "a\nb"), b"550-5.1.1 a\r\n550 5.1.1 b\r\n"),
        (Reply(550, "5.1.1", "<\udcff@x>"), b"550 5.1.1 <\xff@x>\r\n"),
    ],
)
def test_a_reply_is_written_as_rfc_5321_has_it(reply, wire):
    assert bytes(reply) == wire


@pytest.mark.parametrize(("code", "accepts"), [(250, True), (354, True), (450, False), (550, False)])
def test_the_code_says_whether_it_accepts(code, accepts):
    assert Reply(code, "", "x").accepts is accepts


def test_the_log_has_it_on_one_line():
    assert Reply(550, "5.1.1", "a\nb").line() == "550 5.1.1 a b"
    assert Reply(550, "", "a").line() == "550 a"
