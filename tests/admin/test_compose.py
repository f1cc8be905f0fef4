import email
import email.policy

import pytest

from postroad.admin.compose import Draft, compose, display


def parsed(draft):
    text, wide = compose(draft)
    assert b"\n" not in text.replace(b"\r\n", b"")
    return email.message_from_bytes(text, policy=email.policy.default), text, wide


def draft(**values):
    return Draft(**({"sender": "Me <me@x.example>", "to": ["you@y.example"]} | values))


def test_a_plain_message_is_plain():
    message, text, wide = parsed(draft(subject="Hi", text="hello", date="D", message_id="<1@x>"))
    assert not wide
    assert (message["Subject"], message["To"], message["From"]) == (
        "Hi",
        "you@y.example",
        "Me <me@x.example>",
    )
    assert text.endswith(b"\r\n\r\nhello\r\n")
    assert message["Content-Transfer-Encoding"] == "7bit"


def test_other_scripts_are_encoded_in_headers_and_text():
    message, text, wide = parsed(
        draft(to=["Bób <bob@y.example>"], subject="你好 Grüße", text="Hällo, this is text\n")
    )
    assert not wide
    assert text.isascii()
    assert message["Subject"] == "你好 Grüße"
    assert message["To"].addresses[0].display_name == "Bób"
    assert message.get_content().splitlines() == ["Hällo, this is text"]


@pytest.mark.parametrize(
    "values", [{"to": ["b@例子.test"]}, {"cc": ["bób@y.example"]}, {"bcc": ["bób@y.example"]}]
)
def test_an_address_that_is_not_ascii_needs_smtputf8(values):
    assert parsed(draft(**values))[2]


def test_blind_recipients_are_not_in_the_message():
    made = draft(cc=["c@y.example"], bcc=["Secret <d@y.example>"])
    assert made.recipients == ["you@y.example", "c@y.example", "d@y.example"]
    text = compose(made)[0]
    assert b"d@y.example" not in text
    assert b"Bcc" not in text


def test_each_recipient_is_named_once():
    assert draft(to=["a@x, b@x", "Group: a@x, c@x;"], cc=["b@x"]).recipients == ["a@x", "b@x", "c@x"]


def test_html_is_an_alternative_and_files_are_attached(tmp_path):
    picture, notes = tmp_path / "p.png", tmp_path / "notiz ü.txt"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\0")
    notes.write_bytes(b"raw\rbytes\n\xff")
    message, _, _ = parsed(draft(text="t", html="<b>h</b>", attachments=[picture, notes]))
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "image/png",
        "application/octet-stream",
    ]  # fmt: skip
    found = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert found == {"p.png": picture.read_bytes(), "notiz ü.txt": notes.read_bytes()}


def test_long_lines_are_encoded():
    message, text, _ = parsed(draft(text="x" * 2000))
    assert max(map(len, text.split(b"\r\n"))) < 998
    assert message.get_content().splitlines() == ["x" * 2000]


def test_further_headers_are_added():
    assert parsed(draft(headers=[("X-Priority", "1"), ("List-Id", "ü")]))[0]["List-Id"] == "ü"


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "a\nBcc: x@y"},
        {"to": ["a@x\r\nBcc: x@y"]},
        {"sender": "a@x\nBcc: y@z"},
        {"to": ["()"]},
        {"sender": ""},
        {"headers": [("X-A", "a\nBcc: x@y")]},
        {"headers": [("X A", "a")]},
        {"headers": [("X-A:", "a")]},
        {"headers": [("", "a")]},
        {"headers": [("Bcc", "x@y")]},
        {"headers": [("Content-Type", "text/html")]},
    ],
)
def test_what_no_message_may_have_is_refused(values):
    with pytest.raises(ValueError):
        compose(draft(**values))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        compose(draft(attachments=[tmp_path / "none"]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "a@x"), ("Al", "Al <a@x>"), ("Al, Jr.", '"Al, Jr." <a@x>'), ("Ä", "=?utf-8?B?w4Q=?= <a@x>")],
)
def test_a_name_is_quoted_or_encoded(name, expected):
    assert display(name, "a@x") == expected
