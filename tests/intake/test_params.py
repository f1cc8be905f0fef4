import pytest

from postroad.base.params import settings_of
from postroad.intake import params

NAMES = {param.name: param for param in params.params.params}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("message_drop_headers", ("bcc", "content-length", "resent-bcc", "return-path")),
        ("masquerade_classes", ("envelope_sender", "header_sender", "header_recipient")),
        ("virtual_alias_expansion_limit", 1000),
        ("duplicate_filter_limit", 1000),
        ("header_address_token_limit", 10240),
        ("header_from_format", "standard"),
        ("queue_minfree", 0),
        ("always_add_missing_headers", False),
        ("undisclosed_recipients_header", ""),
    ],
)
def test_defaults_are_postfixs(name, value):
    assert settings_of([params.params])[NAMES[name]] == value


def test_a_value_out_of_bounds_is_refused():
    with pytest.raises(ValueError, match="less than"):
        NAMES["virtual_alias_address_length_limit"].read("0")
    with pytest.raises(ValueError, match="expected one of"):
        NAMES["header_from_format"].read("fancy")
