import os
import pwd

import pytest

from postroad.admin import person


def entry(gecos):
    return pwd.struct_passwd(("al", "x", 5, 5, gecos, "/", "/bin/sh"))


@pytest.mark.parametrize(
    ("gecos", "environment", "expected"),
    [
        ("Al Ias,Room 5,555", {}, "Al Ias"),
        ("& Ias", {}, "Al Ias"),
        ("", {}, ""),
        ("Al Ias", {"NAME": "Somebody"}, "Somebody"),
        ("Al Ias", {"NAME": ""}, "Al Ias"),
    ],
)
def test_a_full_name_comes_from_the_environment_or_the_password_file(
    monkeypatch, gecos, environment, expected
):
    monkeypatch.delenv("NAME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: entry(gecos))
    assert person.full_name(5) == expected


def test_a_user_id_without_a_user_has_no_name(monkeypatch):
    monkeypatch.delenv("NAME", raising=False)
    assert person.user_name(3_999_999_999) == "unknown"
    assert person.full_name(3_999_999_999) == ""
    assert person.user_name(os.getuid()) == pwd.getpwuid(os.getuid()).pw_name
