"""Tokens in the place of passwords."""

from __future__ import annotations

import os

import pytest

from postroad.base.errors import TableUnavailable
from postroad.delivery.smtp.tokens import LIMIT, Tokens


def test_a_password_is_no_token():
    assert Tokens().read("secret") is None
    assert Tokens().read("") is None
    assert Tokens().read("x{OAUTH}y") is None


def test_a_token_may_stand_in_the_table():
    assert Tokens().read("{OAUTH}ya29.a0-_~+/=") == "ya29.a0-_~+/="


def test_a_file_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    tokens = Tokens()
    assert tokens.read(f"{{OAUTHFILE}}{path}") == "first"
    assert tokens.read(f"{{OAUTHFILE}}{path}") == "first"
    path.write_text("second-one\n")
    assert tokens.read(f"{{OAUTHFILE}}{path}") == "second-one"
    (tmp_path / "new").write_text("third-one!\n")
    os.replace(tmp_path / "new", path)
    assert tokens.read(f"{{OAUTHFILE}}{path}") == "third-one!"


@pytest.mark.parametrize("content", ["", "\n", "two words", "a\nb", "sécret", "s3cret\0", "s3cret" * LIMIT])
def test_a_file_that_has_no_token_is_not_sent(tmp_path, content):
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(TableUnavailable) as error:
        Tokens().read(f"{{OAUTHFILE}}{path}")
    assert str(path) in str(error.value)
    assert "cret" not in str(error.value)


def test_a_file_that_is_gone_is_not_remembered(tmp_path):
    path = tmp_path / "token"
    path.write_text("first")
    tokens = Tokens()
    tokens.read(f"{{OAUTHFILE}}{path}")
    path.unlink()
    with pytest.raises(TableUnavailable, match="No such file"):
        tokens.read(f"{{OAUTHFILE}}{path}")


@pytest.mark.parametrize("path", ["", "token", "~/token", "/tok\0en"])
def test_a_path_is_absolute(path):
    with pytest.raises(TableUnavailable):
        Tokens().read(f"{{OAUTHFILE}}{path}")


def test_a_pipe_that_nobody_writes_to_does_not_stop_the_mail(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TableUnavailable):
        Tokens().read(f"{{OAUTHFILE}}{tmp_path}/pipe")


def test_a_bad_token_in_the_table_is_not_shown():
    with pytest.raises(TableUnavailable) as error:
        Tokens().read("{OAUTH}s3cret s3cret")
    assert "s3cret" not in str(error.value)
