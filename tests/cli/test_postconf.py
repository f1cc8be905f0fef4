import json

import pytest

from postroad.cli.postconf import run

MAIN = (
    "# head\nmyhostname = mx.example.org\nsmtpd_banner = $myhostname   ESMTP\nmine = 1\nmyorigin = ${mine}\n"
)
MASTER = "smtp inet n - n - - smtpd\nrelay unix - - n - - smtp -o syslog_name=postfix/$service_name\n"


@pytest.fixture
def postconf(tmp_path, capfdbinary):
    (tmp_path / "main.cf").write_text(MAIN)
    (tmp_path / "master.cf").write_text(MASTER)

    def call(*args):
        status = run(str(tmp_path), list(args))
        import sys

        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return status, out.decode().replace(str(tmp_path), "DIR"), err.decode().replace(str(tmp_path), "DIR")

    call.directory = tmp_path
    return call


RELAY = "relay      unix  -       -       n       -       -       smtp\n"
FOLDED = RELAY + "    -o syslog_name=postfix/$service_name\n"
N = "config_directory = DIR\nmine = 1\nmyhostname = mx.example.org\nmyorigin = ${mine}\nsmtpd_banner = $myhostname ESMTP\n"
SMTP = "smtp       inet  n       -       n       -       -       smtpd\n"


@pytest.mark.parametrize(
    ("args", "printed"),
    [
        (["-n"], N),
        (["-p", "-n"], N),
        (["-nx", "smtpd_banner"], "smtpd_banner = mx.example.org ESMTP\n"),
        (["-h", "myhostname", "biff"], "mx.example.org\nyes\n"),
        (["-H", "myhostname"], "myhostname\n"),
        (["-d", "smtpd_banner"], "smtpd_banner = $myhostname ESMTP $mail_name\n"),
        (["-n", "biff"], ""),
        (["-o", "mine=2", "-x", "myorigin"], "myorigin = 2\n"),
        (["-n", "-C", "user"], "mine = 1\n"),
        (["-M", "smtp/inet"], SMTP),
        (["-Mf", "relay"], FOLDED),
        (["-P"], "relay/unix/syslog_name = postfix/$service_name\n"),
        (["-Px", "relay"], "relay/unix/syslog_name = postfix/relay\n"),
        (["-Ph", "relay/unix/syslog_name"], "postfix/$service_name\n"),
        (["-F", "smtp/inet/command"], "smtp/inet/command = smtpd\n"),
        (["-Fh", "*/unix/type"], "unix\n"),
        (["-a"], "dovecot\n"),
        (["-l"], "flock\nfcntl\ndotlock\n"),
    ],
)
def test_what_is_shown_is_what_postfix_shows(postconf, args, printed):
    assert postconf(*args) == (0, printed, "")


def test_all_parameters_are_shown_sorted_without_a_name(postconf):
    lines = postconf()[1].splitlines()
    names = [line.partition(" =")[0] for line in lines]
    assert len(names) > 800
    assert names == sorted(names)


def test_json_has_one_object_a_line(postconf):
    lines = postconf("-nj")[1].splitlines()
    assert json.loads(lines[2]) == {"myhostname": "mx.example.org"}


def test_table_types_are_listed(postconf):
    assert {"hash", "cidr", "pcre", "static"} <= set(postconf("-m")[1].split())


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nosuch"], "postconf: warning: nosuch: unknown parameter\n"),
        (["-M", "nosuch"], 'postconf: warning: unmatched request: "nosuch"\n'),
        (["-P", "smtp/inet/x"], 'postconf: warning: unmatched request: "smtp/inet/x"\n'),
    ],
)
def test_what_is_not_there_is_a_warning(postconf, args, says):
    assert postconf(*args) == (0, "", says)


def test_an_unused_parameter_is_a_warning_unless_quiet(postconf):
    (postconf.directory / "main.cf").write_text("x = 1\nmyorigin = $nowhere\n")
    assert postconf("biff")[2] == (
        "postconf: warning: DIR/main.cf: unused parameter: x=1\n"
        "postconf: warning: DIR/main.cf: undefined parameter: nowhere\n"
    )
    assert postconf("-q", "biff")[2] == ""


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["-hH", "biff"], "specify one of -h -H"),
        (["-n", "-d"], "specify one of -d -n"),
        (["-M", "-n"], "with option -M, do not specify -n"),
        (["-o", "foo"], "invalid parameter override: foo: missing '=' after attribute name"),
        (["-C", "foo"], 'unknown -C option value "foo" in "foo"'),
        (["-e", "biff"], "missing '=' after attribute name: \"biff\""),
        (["-e", "=x"], 'missing attribute name: "=x"'),
        (["-X", "biff=3"], "-X or -# requires parameter names without value"),
        (["-e", "a=b\nc"], "-e, -X, or -# accepts no multi-line input"),
        (["-#"], "missing parameter argument"),
        (["-F", "smtp/inet/foo"], 'invalid service attribute name: "foo"'),
        (["-P", "a/b/c/d"], "-P option requires service_name[/type[/parameter]]"),
        (["-Me", "smtp=x"], "-Me, -MX or -M# requires service_name/type"),
        (["-z"], "usage: postconf"),
        (["-b"], "nothing to show"),
    ],
)
def test_a_wrong_call_is_fatal(postconf, args, says):
    status, printed, error = postconf(*args)
    assert (status, printed) == (1, "")
    assert f"postconf: fatal: {says}" in error or (says in error and "fatal" in error)


@pytest.mark.parametrize(
    ("main", "master", "says"),
    [
        ("foo\n", MASTER, "DIR/main.cf, line 1: missing '=' after attribute name: \"foo\""),
        (MAIN, "smtp inet\n", 'file DIR/master.cf: line 1: missing "private" field'),
    ],
)
def test_a_broken_file_is_fatal(postconf, main, master, says):
    (postconf.directory / "main.cf").write_text(main)
    (postconf.directory / "master.cf").write_text(master)
    assert postconf("-n") == (1, "", f"postconf: fatal: {says}\n")


def test_a_malformed_value_is_fatal_when_it_is_expanded(postconf):
    (postconf.directory / "main.cf").write_text("smtpd_banner = ${\n")
    assert postconf("-n", "smtpd_banner")[:2] == (0, "smtpd_banner = ${\n")
    assert "macro processing error" in postconf("-x", "smtpd_banner")[2]


def test_no_main_cf_is_fatal(tmp_path, capsys):
    assert run(str(tmp_path), ["-n"]) == 1
    assert capsys.readouterr().err == f"postconf: fatal: open {tmp_path}/main.cf: No such file or directory\n"


def test_a_parameter_is_set_with_and_without_e(postconf):
    assert postconf("-e", "myhostname = a.b", "new=x y") == (0, "", "")
    assert postconf("mine=2") == (0, "", "")
    text = (postconf.directory / "main.cf").read_text()
    assert text == MAIN.replace("mx.example.org", "a.b").replace("mine = 1", "mine = 2") + "new = x y\n"


def test_parameters_are_removed_and_commented_out(postconf):
    postconf("-X", "mine")
    postconf("-#", "myhostname")
    text = (postconf.directory / "main.cf").read_text()
    assert "#myhostname = mx.example.org\n" in text
    assert "mine = 1" not in text


def test_services_fields_and_overrides_are_changed(postconf):
    assert postconf("-Me", "smtp/inet=smtp inet n - n - 9 smtpd")[0] == 0
    assert postconf("-Fe", "relay/unix/chroot=y")[0] == 0
    assert postconf("-Pe", "relay/unix/a=b", "smtp/inet/c=d")[0] == 0
    assert postconf("-PX", "relay/unix/syslog_name")[0] == 0
    assert postconf("-P")[1] == "smtp/inet/c = d\nrelay/unix/a = b\n"
    assert postconf("-Fh", "smtp/inet/process_limit", "relay/unix/chroot")[1] == "9\ny\n"
    assert "unmatched service_name/type" in postconf("-Pe", "no/inet/a=b")[2]
