import pytest

from postroad.tables.context import TableContext


def test_relative_names_begin_at_the_configuration_directory():
    assert TableContext("/etc/postfix").path("virtual") == "/etc/postfix/virtual"
    assert TableContext("/etc/postfix").path("/x/virtual") == "/x/virtual"
    assert TableContext().path("virtual") == "virtual"


@pytest.mark.parametrize(
    ("texts", "spec", "yes"),
    [
        ({"alias_maps": "hash:/a, hash:/b"}, "hash:/b", True),
        ({"alias_maps": "proxy:hash:/a"}, "hash:/a", True),
        ({"alias_database": "lmdb:/a"}, "lmdb:/a", True),
        ({"alias_maps": "hash:/a"}, "hash:/virtual", False),
        ({}, "hash:/a", False),
    ],
)
def test_alias_files_are_those_that_the_alias_parameters_name(texts, spec, yes):
    assert TableContext("", texts).is_alias_file(spec) is yes


def test_a_context_without_a_listener_hears_warnings_silently():
    TableContext().warn("nobody hears this")
