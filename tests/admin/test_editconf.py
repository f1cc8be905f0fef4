import os

import pytest

from postroad.admin.editconf import Edit, edit_fields, edit_main, edit_overrides, edit_services, rewrite
from postroad.base.errors import PostroadError
from postroad.base.mastercf import parse

MAIN = "# head\na = 1\n  more\n# between\n  still a\nb = 2\n\nc=3"
MASTER = """\
# head
smtp inet n - n - - smtpd
  -o a=b
# between
  -o c=d
# behind
relay unix - - n - - smtp
"""
SMTP = "smtp       inet  n       -       n       -       -       smtpd"


@pytest.mark.parametrize(
    ("edit", "values", "text"),
    [
        (Edit.REPLACE, {"a": "x"}, "# head\na = x\n# between\nb = 2\n\nc=3\n"),
        (Edit.REPLACE, {"z": "9", "y": "8"}, f"{MAIN}\ny = 8\nz = 9\n"),
        (Edit.REMOVE, {"a": "", "c": ""}, "# head\n# between\nb = 2\n\n"),
        (Edit.COMMENT, {"a": ""}, "# head\n#a = 1\n#  more\n# between\n#  still a\nb = 2\n\nc=3\n"),
        (Edit.REMOVE, {"nosuch": ""}, f"{MAIN}\n"),
    ],
)
def test_main_cf_keeps_comments_and_order(edit, values, text):
    assert edit_main(MAIN, edit, values)[0] == text


def test_a_name_that_stands_twice_is_set_twice_and_named():
    assert edit_main("a = 1\na = 2\n", Edit.REPLACE, {"a": "3"}) == ("a = 3\na = 3\n", ["a"])


def test_a_broken_line_stays():
    assert edit_main("= x\nfoo\n", Edit.REPLACE, {"a": "1"})[0] == "= x\nfoo\na = 1\n"


def test_a_whole_service_is_replaced_added_removed_commented_out():
    replaced = edit_services(MASTER, Edit.REPLACE, {"smtp/inet": "smtp inet n - n - 3 smtpd"})
    assert parse(replaced)[0][0].maxproc == 3
    assert replaced.startswith("# head\nsmtp ")
    assert "# behind\nrelay" in replaced
    added = edit_services(MASTER, Edit.REPLACE, {"x/unix": "x unix - n n - - pipe argv=/x { a b }"})
    assert added.startswith(MASTER)
    assert added.endswith("pipe argv=/x {a b}\n")
    assert "smtpd" not in edit_services(MASTER, Edit.REMOVE, {"smtp/inet": ""})
    commented = edit_services(MASTER, Edit.COMMENT, {"smtp/inet": ""})
    assert "#smtp inet n - n - - smtpd\n#  -o a=b\n# between\n#  -o c=d\n# behind\n" in commented


def test_a_field_is_changed():
    text, unmatched = edit_fields(MASTER, {("smtp/inet", "process_limit"): "7", ("x/inet", "chroot"): "y"})
    assert f"{SMTP[:49]}7       smtpd\n    -o a=b\n    -o c=d\n" in text
    assert unmatched == {("x/inet", "chroot")}


def test_the_command_field_has_its_arguments():
    text, _ = edit_fields(MASTER, {("smtp/inet", "command"): "smtpd -o x=y"})
    assert parse(text)[0][0].overrides == {"x": "y"}


def test_a_field_that_makes_no_service_is_refused():
    with pytest.raises(PostroadError, match="bad value"):
        edit_fields(MASTER, {("smtp/inet", "chroot"): "maybe"})


def test_an_override_is_set_added_removed():
    text, unmatched = edit_overrides(
        MASTER, Edit.REPLACE, {("smtp/inet", "a"): "x y", ("relay/unix", "n"): "1"}
    )
    smtp, relay = parse(text)[0]
    assert (smtp.overrides, relay.overrides, unmatched) == ({"a": "x y", "c": "d"}, {"n": "1"}, set())
    assert "# between" in text
    text, _ = edit_overrides(MASTER, Edit.REMOVE, {("smtp/inet", "a"): ""})
    assert parse(text)[0][0].overrides == {"c": "d"}


def test_an_override_goes_before_the_commands_own_arguments():
    text, _ = edit_overrides(
        "x unix - n n - - pipe flags=R argv=/x -o y\n", Edit.REPLACE, {("x/unix", "a"): "b"}
    )
    (service,) = parse(text)[0]
    assert service.overrides == {"a": "b"}
    assert service.args == ("flags=R", "argv=/x", "-o", "y")


def test_a_file_keeps_its_mode_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "main.cf"
    path.write_bytes(b"a = \xff\n")
    path.chmod(0o640)
    rewrite(path, lambda text: text + "b = 1\n")
    assert path.read_bytes() == b"a = \xff\nb = 1\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["main.cf"]


def test_a_link_stays_a_link(tmp_path):
    real = tmp_path / "real"
    real.write_text("a = 1\n")
    link = tmp_path / "main.cf"
    link.symlink_to(real)
    rewrite(link, lambda _text: "a = 2\n")
    assert link.is_symlink()
    assert real.read_text() == "a = 2\n"


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "main.cf"
    path.write_text("a = 1\n")

    def fail(_text):
        raise PostroadError("no")

    with pytest.raises(PostroadError, match="no"):
        rewrite(path, fail)
    with pytest.raises(PostroadError, match="No such file"):
        rewrite(tmp_path / "nosuch", lambda text: text)
    assert path.read_text() == "a = 1\n"
    assert os.listdir(tmp_path) == ["main.cf"]
