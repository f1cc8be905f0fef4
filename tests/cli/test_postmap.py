"""postmap asks tables, lists them and checks their sources, with Postfix's output and exit status."""

import io
import sys

import pytest

from postroad.cli import postmap


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "main.cf").write_text("alias_maps = hash:/nowhere\ndefault_database_type = hash\n")
    (tmp_path / "t").write_text("# table\nUser@Example.com  value one\nb 2\n")
    return tmp_path


@pytest.fixture
def call(conf, capfd, monkeypatch):
    def run(*args, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        status = postmap.run(str(conf), [str(arg) for arg in args])
        out, err = capfd.readouterr()
        return status, out, err

    return run


def test_a_key_that_is_there_gives_its_value_alone(conf, call):
    assert call("-q", "USER@example.com", f"hash:{conf}/t") == (0, "value one\n", "")


def test_a_key_that_is_not_there_gives_nothing_and_status_one(conf, call):
    assert call("-q", "nobody", f"hash:{conf}/t") == (1, "", "")


def test_the_type_may_be_left_out(conf, call):
    assert call("-q", "b", conf / "t")[:2] == (0, "2\n")


def test_the_first_of_several_tables_answers(conf, call):
    assert call("-q", "b", "inline:{a=1}", "inline:{b=x}", f"hash:{conf}/t")[:2] == (0, "x\n")


def test_keys_from_standard_input_are_printed_with_their_values(conf, call):
    assert call("-q", "-", f"hash:{conf}/t", stdin="B\nnobody\nb\n") == (0, "B\t2\nb\t2\n", "")
    assert call("-q", "-", f"hash:{conf}/t", stdin="nobody\n") == (1, "", "")


def test_a_table_is_listed(conf, call):
    assert call("-s", f"hash:{conf}/t") == (0, "user@example.com\tvalue one\nb\t2\n", "")


def test_json_lines(conf, call):
    assert call("-jq", "b", f"hash:{conf}/t")[:2] == (0, '{"b": "2"}\n')
    assert call("-j", "-s", f"hash:{conf}/t")[1].splitlines()[1] == '{"b": "2"}'


def test_case_is_kept_when_folding_is_off(conf, call):
    assert call("-f", "-q", "User@Example.com", f"hash:{conf}/t")[0] == 0
    assert call("-f", "-q", "user@example.com", f"hash:{conf}/t")[0] == 1


def test_building_checks_the_source_and_warns_with_status_zero(conf, call):
    (conf / "bad").write_text("a 1\nalone\nA 2\n")
    status, out, err = call(conf / "bad")
    assert (status, out) == (0, "")
    assert err.splitlines() == [
        f"postmap: warning: {conf}/bad, line 2: expected format: key whitespace value -- ignoring this line",
        f'postmap: warning: {conf}/bad, line 3: duplicate entry: "a"',
    ]
    assert call("-q", "a", conf / "bad") == (0, "1\n", "")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-q", "a", "hash:/nonexistent"], "postmap: fatal: open /nonexistent: No such file or directory"),
        (["hash:/nonexistent"], "postmap: fatal: open /nonexistent: No such file or directory"),
        (["-q", "a", "nosuch:/x"], "postmap: fatal: unsupported dictionary type: nosuch"),
        (["-q", "a", "fail:x"], "postmap: fatal: fail:x lookup error for 'a'"),
        (["-s", "static:x"], "postmap: fatal: table static:x: sequence operation is not supported"),
    ],
)
def test_what_cannot_be_done_is_fatal_with_status_one(call, args, message):
    assert call(*args) == (1, "", message + "\n")


@pytest.mark.parametrize("option", ["-i", "-d"])
def test_there_is_no_index_to_change_and_it_says_so(conf, call, option):
    args = [option, "b"] if option == "-d" else [option]
    status, _, err = call(*args, f"hash:{conf}/t")
    assert status == 1
    assert "the source text is the table" in err


@pytest.mark.parametrize("args", [[], ["-q"], ["-x", "t"], ["-q", "a", "-s", "t"]])
def test_a_wrong_call_shows_the_usage(call, args):
    status, out, err = call(*args)
    assert (status, out) == (2, "")
    assert "usage: postmap" in err


def test_help_is_printed(call):
    assert call("--help")[0] == 0


def test_a_directory_without_main_cf_is_fatal(call, tmp_path):
    status, _, err = call("-c", tmp_path / "none", "-q", "a", "static:x")
    assert status == 1
    assert err == f"postmap: fatal: open {tmp_path}/none/main.cf: No such file or directory\n"


def test_an_empty_answer_is_warned_of(call):
    status, out, err = call("-q", "a", "inline:{a=}")
    assert (status, out) == (0, "\n")
    assert err.splitlines() == [
        "postmap: warning: table inline:{a=}: key a: empty string result is not allowed",
        "postmap: warning: table inline:{a=} should return NO RESULT in case of NOT FOUND",
    ]


MESSAGE = "Subject: a\n b\nFrom: q\n\nbody x\nSubject: in body\n"


@pytest.mark.parametrize(
    ("option", "out"),
    [("-hq", "Subject: a\n b\tS<a\n b>\n"), ("-bq", "body x\tX\nSubject: in body\tS<in body>\n")],
)
def test_the_lines_of_a_message_may_be_the_keys(conf, call, option, out):
    (conf / "re").write_text("/^subject: (.*)/ S<$1>\n/x/ X\n")
    assert call(option, "-", f"regexp:{conf}/re", stdin=MESSAGE) == (0, out, "")


def test_values_may_name_files_whose_contents_are_meant(conf, call):
    (conf / "one").write_text("1")
    (conf / "two").write_text("2")
    (conf / "files").write_text(f"key {conf}/one, {conf}/two\n")
    assert call("-Fq", "key", conf / "files")[:2] == (0, "1\n2\n")
    assert call("-F", conf / "files")[0] == 0
    (conf / "two").unlink()
    assert call("-F", conf / "files")[0] == 1


def test_bytes_that_are_no_text_come_out_as_they_went_in(conf, capfdbinary):
    (conf / "b").write_bytes(b"k \xff\xfe\n")
    assert postmap.run(str(conf), ["-q", "k", f"hash:{conf}/b"]) == 0
    assert capfdbinary.readouterr().out == b"\xff\xfe\n"
