"""What is said of access tables before a client is refused by them."""

from __future__ import annotations

import pytest

from postroad.base.errors import Severity
from postroad.policy.check_tables import table_problems
from postroad.tables.context import TableContext

CLASSES = {"mine": ("permit",)}


def found(spec, tmp_path):
    return [
        (each.severity, each.message) for each in table_problems(spec, TableContext(str(tmp_path)), CLASSES)
    ]


def test_a_table_in_order_has_no_problems(tmp_path):
    (tmp_path / "clients").write_text("192.0.2.1  REJECT\n")
    assert found("hash:clients", tmp_path) == []


def test_a_type_that_does_not_exist_is_an_error(tmp_path):
    assert found("nosuch:x", tmp_path) == [(Severity.ERROR, "unsupported dictionary type: nosuch")]


def test_a_file_that_is_not_there_is_a_warning_that_says_what_clients_hear(tmp_path):
    ((severity, message),) = found("hash:clients", tmp_path)
    assert severity is Severity.WARNING
    assert message.endswith("told 451 4.3.5 Server configuration error")


def test_a_line_that_is_left_out_is_a_warning(tmp_path):
    (tmp_path / "nets").write_text("10.0.0.1/8 REJECT\n")
    ((severity, message),) = found("cidr:nets", tmp_path)
    assert severity is Severity.WARNING
    assert "line 1" in message


GOOD = (
    "OK",
    "reject 5.7.1 no",
    "550 no",
    "12345",
    "DUNNO",
    "FILTER smtp:[x]",
    "mine",
    "reject_unlisted_sender, permit",
)


def test_every_value_is_looked_at(tmp_path):
    (tmp_path / "good").write_text("".join(f"k{number}  {value}\n" for number, value in enumerate(GOOD)))
    assert found("hash:good", tmp_path) == []


@pytest.mark.parametrize(
    ("value", "severity", "message"),
    [
        ("REJCT", Severity.WARNING, 'unknown action or smtpd restriction: "REJCT"'),
        ("600 no", Severity.WARNING, 'unknown action or smtpd restriction: "600"'),
        ("hash:/x", Severity.WARNING, "no look-up tables inside access tables"),
        ("permit {", Severity.WARNING, "not closed"),
    ],
)
def test_a_value_that_nothing_can_be_done_with_is_named(tmp_path, value, severity, message):
    (tmp_path / "bad").write_text(f"key  {value}\n")
    (problem,) = found("hash:bad", tmp_path)
    assert problem[0] is severity
    assert problem[1].startswith(f"table hash:bad: key: {value}: ")
    assert message in problem[1]
