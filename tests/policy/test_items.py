"""Words of main.cf become restrictions."""

from __future__ import annotations

import pytest

from postroad.policy.items import Sort, classes_of, read_list


def words(text: str) -> list[str]:
    return text.split()


def test_an_argument_belongs_to_the_word_before_it():
    items = list(read_list(words("check_client_access hash:/x permit"), {}))
    assert [(item.name, item.argument) for item in items] == [
        ("check_client_access", "hash:/x"),
        ("permit", ""),
    ]


def test_names_are_read_without_regard_to_case_except_those_of_classes():
    items = list(read_list(words("PERMIT Mine mine"), {"Mine": ("permit",)}))
    assert [item.sort for item in items] == [Sort.WORKS, Sort.CLASS, Sort.UNKNOWN]


def test_warn_if_reject_is_for_one_restriction():
    items = list(read_list(words("warn_if_reject reject defer"), {}))
    assert [(item.name, item.warn) for item in items] == [("reject", True), ("defer", False)]


def test_a_class_needs_a_definition():
    assert classes_of(("a",), {"a": "permit, reject"}) == {"a": ("permit", "reject")}
    with pytest.raises(ValueError, match="restriction class `b' needs a definition"):
        classes_of(("b",), {})


def test_a_table_alone_stands_for_the_lists_own_access_check():
    (item,) = read_list(["hash:/x"], {}, "check_helo_access")
    assert (item.name, item.argument, item.sort) == ("check_helo_access", "hash:/x", Sort.TAKES)
    (item,) = read_list(["hash:/x"], {})
    assert item.sort is Sort.MISPLACED


def test_a_table_in_braces_is_a_table():
    (item,) = read_list(["inline:{ {a = OK} }"], {}, "check_helo_access")
    assert item.argument == "inline:{ {a = OK} }"


def test_what_is_known_is_told_from_what_is_not():
    items = list(read_list(words("permit_mx_backup no_such_thing"), {}))
    assert [item.sort for item in items] == [Sort.WORKS, Sort.UNKNOWN]
